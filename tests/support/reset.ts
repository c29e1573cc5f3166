/** Clients that leave by a TCP reset, which Deno's sockets cannot send. */

import { handshakeRequest } from "./handshake.ts";
import { output } from "./program.ts";

/**
 * Sends a handshake, and ends the connection by a reset, `count` times. Needs Python.
 *
 * @param after Bytes to send behind the handshake; the reset then waits for the answer to it
 */
export async function reset(port: number, after = "", count = 1): Promise<void> {
  const script = `import socket,struct,sys
for _ in range(${count}):
  s=socket.create_connection(("127.0.0.1",${port}))
  s.sendall(${JSON.stringify(handshakeRequest() + after)}.encode("latin1"))
  ${after === "" ? "pass" : "s.recv(4096)"}
  s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack("ii",1,0))
  s.close()
`;
  const { code, stderr } = await output("python3", ["-c", script]);
  if (code !== 0) throw new Error(`python3 could not send the reset: ${stderr}`);
}
