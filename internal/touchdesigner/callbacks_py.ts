/**
 * The Python file for TouchDesigner's side: the callbacks of a WebSocket DAT. It is a string in a module, since JSR does not take text
 * imports (https://github.com/denoland/deno/issues/35546).
 */

/** The version of the messages that both sides exchange. It goes up when one side can no longer understand the other. */
export const VERSION = 1;

/** The file. */
export const CALLBACKS = String
  .raw`# The link to a server in Deno: the callbacks of a WebSocket DAT. Keep this DAT's name
# "deno", and do not edit it: the server serves the newest version, and nothing in it
# belongs to one project.
#
# What the server sends is applied to operators below the component that this DAT is in.
# To let it reach others, list their paths, one per line, in a Text DAT named "deno_allow"
# next to this one.
#
# To send a value to the server, from any script in TouchDesigner:
#
#     op('deno').module.send('fader', 0.5)
#     op('deno').module.send('preview', op('out1').saveByteArray('.jpg'))
#
# What the server sends with touchDesigner.send(name, value) is passed to the function
# onMessage(name, value) of a Text DAT named "deno_messages" next to this one. The value
# that it returns is the answer.

import difflib
import json
import re
import time

VERSION = ${VERSION}

# Characters of a message with several answers; a single answer may be longer.
ANSWERS = 1024 * 1024
# Cells that rows() reads: each costs time in which no frame is drawn.
CELLS = 100000
# Milliseconds between two attempts to connect.
DELAY = 2000
# Seconds in which the same line is printed only once.
QUIET = 10

PATH = re.compile(r'/?\w+(/\w+)*', re.ASCII)
METHOD = re.compile(r'[A-Z]\w*', re.ASCII)

printed = {}


class LinkError(Exception):
    """An error of which the server needs only the text."""


def say(text):
    now = time.monotonic()
    if now - printed.get(text, -QUIET) < QUIET:
        return
    if len(printed) > 100:
        printed.clear()
    printed[text] = now
    print('Deno link: ' + text)


def describe(error):
    text = str(error)
    if not isinstance(error, LinkError):
        text = type(error).__name__ + ': ' + text
    return text if len(text) <= 500 else text[:500] + '...'


# Which operators the server reaches


def is_within(path, top):
    return path == top or path.startswith(top.rstrip('/') + '/')


def allowed(home):
    listed = home.op('deno_allow')
    if listed is None:
        return []
    lines = [line.split('\t')[0].strip() for line in listed.text.splitlines()]
    return [line for line in lines if line.startswith('/')]


def reach(dat, path):
    if not isinstance(path, str) or not PATH.fullmatch(path):
        raise LinkError('%r is not a path: a path has names of letters, digits and _, with / between them' % (path,))
    home = dat.parent()
    full = path if path.startswith('/') else home.path.rstrip('/') + '/' + path
    below = full != home.path and is_within(full, home.path)
    if not below and not any(is_within(full, top) for top in allowed(home)):
        raise LinkError('%s is not below %s, where the link is: list its path in a Text DAT named deno_allow there'
                        % (full, home.path))
    operator = home.op(path)
    if operator is None or operator.path != full:
        raise LinkError('there is no operator %s' % full)
    own = [dat.path, me.path] + [home.path.rstrip('/') + '/' + name for name in ('deno_allow', 'deno_start')]
    if full in own:
        raise LinkError('%s is a part of the link, which the server may not change' % full)
    return operator


# What the server may do with an operator


def parameter(operator, name):
    found = None
    try:
        found = getattr(operator.par, name)
    except Exception:
        pass
    if found is None:
        near = difflib.get_close_matches(name, [par.name for par in operator.pars()], 1, 0.5)
        hint = ': did you mean %s?' % near[0] if near else ''
        raise LinkError('%s has no parameter %s%s' % (operator.path, name, hint))
    return found


def writable(operator, name):
    par = parameter(operator, name)
    if par.mode != ParMode.CONSTANT:
        detail = ' (%s)' % par.expr if par.mode == ParMode.EXPRESSION else ''
        raise LinkError('parameter %s of %s is in %s mode%s, and was not changed'
                        % (name, operator.path, par.mode.name.lower(), detail))
    return par


def set_par(operator, name, value):
    par = writable(operator, name)
    if par.isMenu and par.style != 'StrMenu':
        # Given an unknown entry, TouchDesigner would silently take the first one.
        names = list(par.menuNames)
        if str(value) not in names:
            shown = ', '.join(names[:10]) + (', ...' if len(names) > 10 else '')
            raise LinkError('parameter %s of %s has no menu entry %r: it has %s' % (name, operator.path, value, shown))
        value = str(value)
    par.val = value


def set_menu_index(operator, name, index):
    par = writable(operator, name)
    count = len(par.menuNames) if par.isMenu else 0
    if not isinstance(index, int) or not 0 <= index < count:
        raise LinkError('parameter %s of %s has no menu entry %r: it has %d' % (name, operator.path, index, count))
    par.menuIndex = index


def pulse(operator, name):
    parameter(operator, name).pulse()


def need(operator, kind, what):
    if not getattr(operator, kind, False):
        raise LinkError('%s is not a %s' % (operator.path, what))
    return operator


def text_dat(operator):
    return need(operator, 'isDAT', 'DAT')


def table(operator):
    text_dat(operator)
    return need(operator, 'isTable', 'table')


def set_text(operator, text):
    text_dat(operator).text = text


def set_cell(operator, row, col, value):
    table(operator)[row, col] = value


def get_cell(operator, row, col):
    cell = table(operator)[row, col]
    if cell is None:
        raise LinkError('%s has no cell %r, %r' % (operator.path, row, col))
    return cell.val


def rows(operator):
    count = table(operator).numRows * operator.numCols
    if count > CELLS:
        raise LinkError('%s has %d rows of %d cells; rows() reads %d cells at most: read text, or fewer columns'
                        % (operator.path, operator.numRows, operator.numCols, CELLS))
    return [[cell.val for cell in row] for row in operator.rows()]


def clear(operator, keep):
    table(operator).clear(**keep)


def fetch(operator, key, default=LinkError):
    # Do not search the operators above, which are out of reach.
    found = operator.fetch(key, default, search=False)
    if found is LinkError:
        raise LinkError('%s has nothing stored as %r' % (operator.path, key))
    return found


def store(operator, key, value):
    operator.store(key, value)


def save_byte_array(operator, filetype, quality):
    return bytes(need(operator, 'isTOP', 'TOP').saveByteArray(filetype, quality=quality))


def click(operator, *args):
    if not hasattr(operator, 'click'):
        raise LinkError('%s is not a panel that can be clicked' % operator.path)
    operator.click(*args)


def call(operator, method, *args):
    found = getattr(operator, method, None) if METHOD.fullmatch(method) else None
    if not callable(found):
        raise LinkError('%s has no method %s: only promoted methods of extensions can be called, whose names start '
                        'with a capital letter' % (operator.path, method))
    return found(*args)


def add_byte_array(operator, contents, name):
    operator.vfs.addByteArray(contents, name)
    return 'vfs:%s:%s' % (operator.path, name)


VERBS = {
    'par': set_par,
    'menuIndex': set_menu_index,
    'pulse': pulse,
    'eval': lambda operator, name: parameter(operator, name).eval(),
    'getVal': lambda operator, name: parameter(operator, name).val,
    'getMenuIndex': lambda operator, name: parameter(operator, name).menuIndex,
    'text': set_text,
    'getText': lambda operator: text_dat(operator).text,
    'cell': set_cell,
    'getCell': get_cell,
    'rows': rows,
    'clear': clear,
    'appendRow': lambda operator, *args: table(operator).appendRow(*args),
    'appendCol': lambda operator, *args: table(operator).appendCol(*args),
    'insertRow': lambda operator, *args: table(operator).insertRow(*args),
    'replaceRow': lambda operator, *args: table(operator).replaceRow(*args),
    'deleteRow': lambda operator, *args: table(operator).deleteRow(*args),
    'store': store,
    'fetch': fetch,
    'saveByteArray': save_byte_array,
    'click': click,
    'call': call,
    'addByteArray': add_byte_array,
}


def message(dat, name, value):
    handler = dat.parent().op('deno_messages')
    if handler is None:
        raise LinkError('there is no Text DAT named deno_messages next to %s to receive messages' % dat.path)
    return handler.module.onMessage(name, value)


def apply(dat, change):
    path, verb, *args = change
    if verb == 'message':
        return message(dat, *args)
    if verb not in VERBS:
        raise LinkError('the callbacks in TouchDesigner do not know %r: copy the newest ones from the server' % (verb,))
    return VERBS[verb](reach(dat, path), *args)


# Answers


def plain(value):
    """Converts a value from an operator to one that JSON can hold."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    # An operator, by its path
    path = getattr(value, 'path', None)
    return path if isinstance(path, str) else str(value)


def limit(dat):
    return dat.fetch('deno_limit', 4 * 1024 * 1024, search=False)


def encoded(dat, value):
    try:
        text = json.dumps(plain(value), allow_nan=False)
    except ValueError:
        raise LinkError('the answer cannot be sent: it has a number that is not finite, or contains itself')
    if len(text) > limit(dat) - 1024:
        raise LinkError('the answer is too long: %d characters, %d at most' % (len(text), limit(dat) - 1024))
    return text


def post(dat, text):
    return sent(dat.sendText(text))


def post_bytes(dat, head, contents):
    return sent(dat.sendBinary(json.dumps(head).encode() + b'\n' + bytes(contents)))


def sent(result):
    return result is None or result >= 0


class Answers:
    """The answers to one batch. They are sent at the end, and earlier if there are many."""

    def __init__(self, dat, batch):
        self.dat = dat
        self.batch = batch
        self.results = []
        self.errors = []
        self.length = 0

    def add(self, index, value):
        if isinstance(value, (bytes, bytearray)):
            if len(value) > limit(self.dat) - 1024:
                raise LinkError('the answer is too long: %d bytes, %d at most' % (len(value), limit(self.dat) - 1024))
            post_bytes(self.dat, {'answer': [self.batch, index]}, value)
        elif value is not None:
            text = '[%d,%s]' % (index, encoded(self.dat, value))
            self.make_room(text)
            self.results.append(text)

    def fail(self, index, error):
        text = json.dumps([index, describe(error)])
        self.make_room(text)
        self.errors.append(text)

    def make_room(self, text):
        length = len(text) + 1
        if self.length > 0 and self.length + length > min(ANSWERS, limit(self.dat) - 1024):
            self.send('part')
        self.length += length

    def send(self, kind):
        post(self.dat, '{"%s":%d,"results":[%s],"errors":[%s]}'
             % (kind, self.batch, ','.join(self.results), ','.join(self.errors)))
        self.results = []
        self.errors = []
        self.length = 0


def carry_out(dat, batch, changes):
    answers = Answers(dat, batch)
    for index, change in enumerate(changes):
        try:
            answers.add(index, apply(dat, change))
        except Exception as error:
            answers.fail(index, error)
    answers.send('done')


def receive(dat, text, contents=None):
    try:
        received = json.loads(text)
        if 'welcome' in received:
            dat.store('deno_limit', int(received['limit']))
            if received['welcome'] != VERSION:
                say('these callbacks have version %s, but the server has version %s: copy the newest ones from it'
                    % (VERSION, received['welcome']))
        elif 'replaced' in received:
            give_up(dat)
        elif contents is None:
            carry_out(dat, int(received['batch']), list(received['changes']))
        else:
            change = list(received['change'])
            change[int(received['at'])] = bytes(contents)
            carry_out(dat, int(received['batch']), [change])
    except Exception as error:
        say('a message from the server is malformed and was ignored: ' + describe(error))


# Connecting again


def connected(dat):
    return dat.fetch('deno_connected', False, search=False)


def clock():
    """An operator whose time keeps running while the timeline is paused."""
    try:
        return op.TDResources
    except Exception:
        return me


def retry_later(dat):
    # Only the last one counts: each disconnect restarts the wait.
    turn = dat.fetch('deno_turn', 0, search=False) + 1
    dat.store('deno_turn', turn)
    run('args[0].module.retry(args[1], args[2])', me, dat, turn, delayMilliSeconds=DELAY, delayRef=clock())


def retry(dat, turn):
    if not dat.valid or connected(dat) or turn != dat.fetch('deno_turn', 0, search=False):
        return
    # Someone has turned it off.
    if not dat.par.active.eval():
        return
    dat.par.active = False
    dat.par.active = True
    retry_later(dat)


def give_up(dat):
    dat.store('deno_turn', dat.fetch('deno_turn', 0, search=False) + 1)
    dat.par.active = False
    say('another TouchDesigner has connected to the server, which accepts only one: turn on Active of %s to take over'
        % dat.path)


# For other scripts


def websocket():
    for operator in me.parent().children:
        if operator.OPType == 'websocketDAT':
            callbacks = operator.par.callbacks.eval()
            if callbacks is not None and callbacks.path == me.path:
                return operator
    return None


def start():
    """Connects, even if the server is not running yet. An Execute DAT calls it in onStart."""
    dat = websocket()
    if dat is None:
        say('no WebSocket DAT next to %s has it as its Callbacks DAT' % me.path)
        return
    dat.store('deno_connected', False)
    retry_later(dat)


def send(name, value):
    """Sends a JSON value or bytes to the server's onMessage. Returns False if it is not connected."""
    dat = websocket()
    if dat is None or not connected(dat):
        return False
    if isinstance(value, (bytes, bytearray)):
        if len(value) > limit(dat) - 1024:
            raise ValueError('%d bytes are too many for a message: %d at most' % (len(value), limit(dat) - 1024))
        return post_bytes(dat, {'message': str(name)}, value)
    return post(dat, '{"message":[%s,%s]}' % (json.dumps(str(name)), encoded(dat, value)))


# Callbacks of the WebSocket DAT


def onConnect(dat):
    dat.store('deno_connected', True)
    post(dat, json.dumps({'hello': VERSION}))
    return


def onDisconnect(dat):
    dat.store('deno_connected', False)
    if dat.par.active.eval():
        retry_later(dat)
    return


def onReceiveText(dat, rowIndex, message):
    receive(dat, message)
    return


def onReceiveBinary(dat, contents):
    head, _, rest = bytes(contents).partition(b'\n')
    receive(dat, head.decode('utf-8', 'replace'), rest)
    return


def onReceivePing(dat, contents):
    # Otherwise the server may think that TouchDesigner is dead.
    dat.sendPong(contents)
    return


def onReceivePong(dat, contents):
    return
`;
