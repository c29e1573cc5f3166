/** The script that makes the DATs of the link in TouchDesigner. */

import { CALLBACKS } from "./callbacks_py.ts";

const SETUP = String.raw`# Makes the DATs of the link in the network that is shown, or updates them.
import json


def deno_setup(address, port, callbacks):
    home = None
    for pane in [ui.panes.current] + list(ui.panes):
        owner = getattr(pane, 'owner', None)
        if owner is not None and pane.type == PaneType.NETWORKEDITOR:
            home = owner
            break
    if home is None:
        home = op('/project1') or op('/')

    def dat(kind, name, x, y):
        made = home.op(name) or home.create(kind, name)
        made.nodeX, made.nodeY = x, y
        return made

    code = dat(textDAT, 'deno', 0, 0)
    code.text = callbacks
    start = dat(executeDAT, 'deno_start', 0, -150)
    start.text = "def onStart():\n    op('deno').module.start()\n    return\n"
    start.par.start = True
    socket = dat(websocketDAT, 'deno_websocket', 200, 0)
    socket.par.active = False
    socket.par.netaddress = address
    socket.par.port = port
    socket.par.callbacks = code
    # Do not keep received messages as rows of the DAT.
    socket.par.clamp = True
    socket.par.maxlines = 1
    socket.par.active = True
    code.module.start()
    print('Deno link: made in ' + home.path)


deno_setup(*json.loads(ARGUMENTS))
`;

/** The script for a server, with the values for Network Address and Network Port. */
export function setupScript(address: string, port: number): string {
  // JSON within JSON: the inner one is what Python parses, the outer one a string literal that Python can read too.
  return SETUP.replace("ARGUMENTS", () => JSON.stringify(JSON.stringify([address, port, CALLBACKS])));
}
