"""A stand-in for TouchDesigner, written from its manual: what the link's callbacks use of it, and nothing else.

It is strict: an attribute, a keyword or a parameter that is not in the manual raises. It is as lenient as TouchDesigner where that one is:
assigning to a parameter in expression mode makes it constant, and an unknown menu entry selects the first one.

It takes commands as lines of JSON, and answers each by a line:

    {"id": 1, "do": "op('/project1/lights').par.Value = 1"}     runs statements
    {"id": 2, "get": "op('/project1/lights').par.Value.eval()"} answers {"id": 2, "value": 1}
    {"id": 3, "until": "op('/project1/log').numRows == 10"}     answers once it is true

Time goes as many times as fast as the first argument says, in run() with a delay.
"""

import asyncio
import base64
import enum
import json
import os
import struct
import sys
import traceback

SPEED = float(sys.argv[1]) if len(sys.argv) > 1 else 1


class tdError(Exception):
    pass


class tdAttributeError(tdError, AttributeError):
    pass


class ParMode(enum.Enum):
    CONSTANT = 0
    EXPRESSION = 1
    EXPORT = 2
    BIND = 3


class PaneType(enum.Enum):
    NETWORKEDITOR = 0
    TEXTPORT = 1


STYLES = {'Float': (int, float), 'Int': (int, float), 'Toggle': (int, float), 'Str': (str, int, float), 'Pulse': (int,)}


class Par:
    __slots__ = ('owner', 'name', 'style', 'mode', 'expr', 'menuNames', 'pulses', 'history', '_val', 'watch')

    def __init__(self, owner, name, style, value=None, menuNames=()):
        for slot, given in dict(owner=owner, name=name, style=style, mode=ParMode.CONSTANT, expr='', pulses=0, history=0,
                                menuNames=list(menuNames), _val=value, watch=None).items():
            object.__setattr__(self, slot, given)

    @property
    def isMenu(self):
        return self.style in ('Menu', 'StrMenu')

    @property
    def isPulse(self):
        return self.style == 'Pulse'

    @property
    def val(self):
        return self._val

    @val.setter
    def val(self, value):
        if self.style == 'Menu':
            value = value if value in self.menuNames else self.menuNames[0]
        elif self.style in STYLES:
            if not isinstance(value, STYLES[self.style]):
                raise TypeError('%s takes no %s' % (self.name, type(value).__name__))
            if self.style == 'Str':
                value = str(value)
            elif self.style == 'Int':
                value = int(value)
            elif self.style == 'Toggle':
                value = bool(value)
        self.mode = ParMode.CONSTANT
        self._val = value
        self.history += 1
        if self.watch is not None:
            self.watch(value)

    @property
    def menuIndex(self):
        return self.menuNames.index(self._val)

    @menuIndex.setter
    def menuIndex(self, index):
        self.val = self.menuNames[index]

    def eval(self):
        if self.mode == ParMode.EXPRESSION:
            return eval(self.expr, dict(names_of(self.owner)))
        return self._val

    def pulse(self, value=None, frames=0, seconds=0):
        self.pulses += 1
        if self.watch is not None:
            self.watch(value)


class Pars:
    def __init__(self):
        object.__setattr__(self, 'all', {})

    def __getattr__(self, name):
        if name not in self.all:
            raise tdAttributeError("'td.ParCollection' object has no attribute '%s'" % name)
        return self.all[name]

    def __setattr__(self, name, value):
        getattr(self, name).val = value


class OP:
    __slots__ = ('name', 'home', 'children', 'par', 'storage', 'valid', 'nodeX', 'nodeY')
    OPType = 'baseOP'
    isDAT = isTOP = isCOMP = False

    def __init__(self, home, name):
        self.name = name
        self.home = home
        self.children = []
        self.par = Pars()
        self.storage = {}
        self.valid = True
        self.nodeX = self.nodeY = 0
        if home is not None:
            home.children.append(self)

    def add(self, name, style, value=None, menuNames=()):
        self.par.all[name] = Par(self, name, style, value, menuNames)

    @property
    def path(self):
        if self.home is None:
            return '/'
        return self.home.path.rstrip('/') + '/' + self.name

    def parent(self):
        return self.home

    def pars(self, *patterns):
        return list(self.par.all.values())

    def op(self, path):
        where = root if path.startswith('/') else self
        for name in [part for part in path.split('/') if part not in ('', '.')]:
            if where is None:
                return None
            where = where.home if name == '..' else next((c for c in where.children if c.name == name), None)
        return where

    def store(self, key, value):
        self.storage[key] = value
        return value

    def fetch(self, key, default=None, search=True, storeDefault=False):
        where = self
        while where is not None:
            if key in where.storage:
                return where.storage[key]
            where = where.home if search else None
        return default

    def destroy(self):
        self.valid = False
        self.home.children.remove(self)


class VFS:
    def __init__(self):
        self.files = {}

    def addByteArray(self, byteArray, name):
        if not isinstance(byteArray, (bytes, bytearray)):
            raise TypeError('addByteArray takes bytes')
        self.files[name] = bytes(byteArray)


class COMP(OP):
    __slots__ = ('extension', 'vfs')
    OPType = 'baseCOMP'
    isCOMP = True

    def __init__(self, home, name):
        super().__init__(home, name)
        self.extension = None
        self.vfs = VFS()

    def __getattr__(self, name):
        # Promoted members of an extension start with a capital letter.
        if name[:1].isupper() and self.extension is not None:
            return getattr(self.extension, name)
        raise tdAttributeError("'td.%s' object has no attribute '%s'" % (self.OPType, name))

    def create(self, opType, name, initialize=True):
        if self.op(name) is not None:
            raise tdError('%s exists' % name)
        return opType(self, name)


class buttonCOMP(COMP):
    __slots__ = ('clicks',)
    OPType = 'buttonCOMP'

    def __init__(self, home, name):
        super().__init__(home, name)
        self.clicks = []

    def click(self, val=None, clickCount=1, force=False, left=False, middle=False, right=False):
        self.clicks.append(val)


class TOP(OP):
    __slots__ = ('picture',)
    OPType = 'constantTOP'
    isTOP = True

    def __init__(self, home, name):
        super().__init__(home, name)
        self.picture = b'\xff\xd8picture\n\x00'

    def saveByteArray(self, filetype, quality=1.0, metadata=()):
        if filetype not in ('.tif', '.tiff', '.jpg', '.jpeg', '.bmp', '.png', '.exr', '.dds'):
            raise tdError('Unsupported file type')
        return bytearray(self.picture)


class DAT(OP):
    __slots__ = ()
    isDAT = True


class Module:
    def __init__(self, dat):
        self.__dict__.update(names_of(dat))
        exec(compile(dat.text, dat.path, 'exec'), self.__dict__)


class textDAT(DAT):
    __slots__ = ('_text', '_module')
    OPType = 'textDAT'
    isTable = False
    isText = True

    def __init__(self, home, name):
        super().__init__(home, name)
        self._text = ''
        self._module = None

    @property
    def text(self):
        return self._text

    @text.setter
    def text(self, text):
        if not isinstance(text, str):
            raise TypeError('text takes a string')
        self._text = text
        self._module = None

    @property
    def module(self):
        if self._module is None:
            self._module = Module(self)
        return self._module


class executeDAT(textDAT):
    __slots__ = ()
    OPType = 'executeDAT'

    def __init__(self, home, name):
        super().__init__(home, name)
        self.add('active', 'Toggle', True)
        self.add('start', 'Toggle', False)


class Cell:
    __slots__ = ('val', 'row', 'col')

    def __init__(self, val, row, col):
        self.val, self.row, self.col = val, row, col


class tableDAT(DAT):
    __slots__ = ('cellTexts',)
    OPType = 'tableDAT'
    isTable = True
    isText = False

    def __init__(self, home, name):
        super().__init__(home, name)
        self.cellTexts = []

    @property
    def numRows(self):
        return len(self.cellTexts)

    @property
    def numCols(self):
        return max((len(row) for row in self.cellTexts), default=0)

    @property
    def text(self):
        return ''.join('\t'.join(row) + '\n' for row in self.cellTexts)

    @text.setter
    def text(self, text):
        self.cellTexts = [line.split('\t') for line in text.removesuffix('\n').split('\n')]

    def rowIndex(self, row):
        if isinstance(row, str):
            row = next((i for i, cells in enumerate(self.cellTexts) if cells[:1] == [row]), None)
        return self.within(row, self.numRows)

    def colIndex(self, col):
        if isinstance(col, str):
            head = self.cellTexts[0] if self.cellTexts else []
            col = head.index(col) if col in head else None
        return self.within(col, self.numCols)

    def within(self, index, count):
        if index is None or isinstance(index, bool) or not isinstance(index, int) or not -count <= index < count:
            return None
        return index % count

    def __getitem__(self, place):
        row, col = self.rowIndex(place[0]), self.colIndex(place[1])
        return None if row is None or col is None else Cell(self.cellTexts[row][col], row, col)

    def __setitem__(self, place, value):
        row, col = self.rowIndex(place[0]), self.colIndex(place[1])
        if row is None or col is None:
            raise tdError('Invalid row or column index: %r' % (place,))
        self.cellTexts[row][col] = str(value)

    def need(self, index):
        if index is None:
            raise tdError('Invalid row or column')
        return index

    def fill(self):
        width = self.numCols
        for row in self.cellTexts:
            row.extend([''] * (width - len(row)))

    def rows(self):
        return [[Cell(val, r, c) for c, val in enumerate(row)] for r, row in enumerate(self.cellTexts)]

    def clear(self, keepSize=False, keepFirstRow=False, keepFirstCol=False):
        if keepSize:
            self.cellTexts = [['' for _ in row] for row in self.cellTexts]
        else:
            self.cellTexts = self.cellTexts[:1] if keepFirstRow else []

    def appendRow(self, vals, nameOrIndex=None, sort=None):
        at = self.numRows if nameOrIndex is None else self.need(self.rowIndex(nameOrIndex)) + 1
        return self.put(at, vals)

    def insertRow(self, vals, nameOrIndex=None, sort=None):
        return self.put(self.need(self.rowIndex(nameOrIndex)), vals)

    def put(self, at, vals):
        self.cellTexts.insert(at, [str(val) for val in vals])
        self.fill()
        return at

    def appendCol(self, vals, nameOrIndex=None, sort=None):
        at = self.numCols if nameOrIndex is None else self.need(self.colIndex(nameOrIndex)) + 1
        while len(self.cellTexts) < len(vals):
            self.cellTexts.append([])
        self.fill()
        for index, row in enumerate(self.cellTexts):
            row.insert(at, str(vals[index]) if index < len(vals) else '')
        return at

    def replaceRow(self, nameOrIndex, vals, entireRow=True):
        row = self.need(self.rowIndex(nameOrIndex))
        self.cellTexts[row] = [str(val) for val in vals]
        self.fill()
        return row

    def deleteRow(self, nameOrIndex):
        del self.cellTexts[self.need(self.rowIndex(nameOrIndex))]


class websocketDAT(DAT):
    __slots__ = ('connection', 'received', 'paused', 'pongs')
    OPType = 'websocketDAT'
    isTable = True

    def __init__(self, home, name):
        super().__init__(home, name)
        self.connection = None
        self.received = {'text': 0, 'binary': 0, 'ping': 0, 'bytes': 0}
        self.paused = False
        self.pongs = True
        self.add('active', 'Toggle', False)
        self.add('netaddress', 'Str', 'localhost')
        self.add('port', 'Int', 0)
        self.add('timeout', 'Int', 5000)
        self.add('callbacks', 'DAT', None)
        self.add('clamp', 'Toggle', False)
        self.add('maxlines', 'Int', 10)
        self.par.active.watch = self.turn

    def turn(self, active):
        if not active and self.connection is not None:
            self.connection.drop()
        if active and self.connection is None:
            self.connection = Connection(self)

    def callback(self, name, *args):
        try:
            getattr(self.par.callbacks.eval().module, name)(self, *args)
        except Exception:
            # TouchDesigner shows it on the DAT. Here it fails the test.
            failures.append(traceback.format_exc())
        look()

    def gone(self, connection, opened):
        if self.connection is not connection:
            return
        self.connection = None
        if opened or REPORTS_FAILED_CONNECTS:
            self.callback('onDisconnect')

    def write(self, opcode, data):
        return -1 if self.connection is None or not self.connection.open else self.connection.send(opcode, data)

    def sendText(self, message):
        if not isinstance(message, str):
            raise TypeError('sendText takes a string')
        return self.write(1, message.encode())

    def sendBinary(self, contents):
        return self.write(2, bytes(contents))

    def sendPing(self, contents=b''):
        return self.write(9, bytes(contents))

    def sendPong(self, contents=b''):
        return self.write(10, bytes(contents)) if self.pongs else 0


# Whether onDisconnect is called when a server is not there is not in the manual.
REPORTS_FAILED_CONNECTS = False


class Connection(asyncio.Protocol):
    """One WebSocket (RFC 6455). It answers no ping by itself."""

    def __init__(self, dat):
        self.dat = dat
        self.transport = None
        self.open = False
        self.dropped = False
        self.buffer = bytearray()
        self.message = bytearray()
        self.opcode = 0
        address, port = dat.par.netaddress.eval(), dat.par.port.eval()
        self.host, slash, path = address.partition('/')
        self.target = '/' + path
        self.port = port
        asyncio.ensure_future(self.connect())

    async def connect(self):
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, self.host.strip('[]'), self.port)
        except OSError:
            self.dat.gone(self, False)

    def connection_made(self, transport):
        self.transport = transport
        if self.dropped:
            return transport.abort()
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(('GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                         'Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n'
                         % (self.target, self.host, self.port, key)).encode())

    def connection_lost(self, error):
        was_open, self.open = self.open, False
        self.dat.gone(self, was_open)

    def drop(self):
        self.dropped = True
        if self.open:
            self.send(8, b'\x03\xe8')
        if self.transport is not None:
            self.transport.close()
        self.dat.gone(self, self.open)
        self.open = False

    def reset(self):
        self.transport.abort()

    def data_received(self, data):
        self.buffer += data
        if not self.open:
            head, end, rest = self.buffer.partition(b'\r\n\r\n')
            if not end:
                return
            if not head.startswith(b'HTTP/1.1 101 '):
                refusals.append(head.split(b'\r\n')[0].decode())
                self.transport.abort()
                return look()
            self.buffer = rest
            self.open = True
            self.dat.callback('onConnect')
        while self.open and self.frame():
            pass

    def frame(self):
        if len(self.buffer) < 2:
            return False
        opcode, size, start = self.buffer[0] & 15, self.buffer[1] & 127, 2
        if size == 126:
            if len(self.buffer) < 4:
                return False
            size, start = struct.unpack('>H', self.buffer[2:4])[0], 4
        elif size == 127:
            if len(self.buffer) < 10:
                return False
            size, start = struct.unpack('>Q', self.buffer[2:10])[0], 10
        if len(self.buffer) < start + size:
            return False
        final, payload = self.buffer[0] & 128, bytes(self.buffer[start:start + size])
        del self.buffer[:start + size]
        self.handle(opcode, final, payload)
        return True

    def handle(self, opcode, final, payload):
        dat = self.dat
        if opcode == 8:
            self.send(8, payload)
            return self.transport.close()
        if opcode == 9:
            dat.received['ping'] += 1
            return dat.callback('onReceivePing', payload)
        if opcode == 10:
            return dat.callback('onReceivePong', payload)
        self.message += payload
        self.opcode = opcode or self.opcode
        if not final:
            return
        whole, self.message = bytes(self.message), bytearray()
        dat.received['bytes'] += len(whole)
        if self.opcode == 1:
            dat.received['text'] += 1
            dat.callback('onReceiveText', 0, whole.decode())
        else:
            dat.received['binary'] += 1
            dat.callback('onReceiveBinary', whole)

    def send(self, opcode, data):
        size, mask = len(data), os.urandom(4)
        head = bytes([128 | opcode])
        head += bytes([128 | size]) if size < 126 else \
            b'\xfe' + struct.pack('>H', size) if size < 65536 else b'\xff' + struct.pack('>Q', size)
        repeated = int.from_bytes(mask * (size // 4 + 1), 'big') >> 8 * (4 - size % 4)
        masked = (int.from_bytes(data, 'big') ^ repeated).to_bytes(size, 'big') if size else b''
        self.transport.write(head + mask + masked)
        return size


class Function:
    """op(), which is a function and has the global shortcuts as attributes."""

    def __init__(self, me):
        self.me = me

    def __call__(self, path):
        where = root if self.me is None else self.me.home
        return where.op(path)

    def __getattr__(self, name):
        if name == 'TDResources' and HAS_RESOURCES:
            return root
        raise tdAttributeError(name)


HAS_RESOURCES = True


def run(script, *args, endFrame=False, fromOP=None, asParameter=False, group=None, delayFrames=0, delayMilliSeconds=0,
        delayRef=None):
    delay = delayMilliSeconds / 1000 + delayFrames / 60

    def execute():
        try:
            exec(script, dict(names_of(fromOP), args=args))
        except Exception:
            failures.append(traceback.format_exc())
        look()
    asyncio.get_running_loop().call_later(delay / SPEED, execute)


def names_of(me):
    """The names that every script has."""
    return {'me': me, 'op': Function(me), 'parent': lambda: (me.home if me is not None else root), 'run': run, 'root': root,
            'ParMode': ParMode, 'PaneType': PaneType, 'ui': ui, 'textDAT': textDAT, 'tableDAT': tableDAT,
            'executeDAT': executeDAT, 'websocketDAT': websocketDAT, 'baseCOMP': COMP, 'print': printed.append}


class UI:
    def __init__(self):
        self.panes = Panes()


class Panes(list):
    @property
    def current(self):
        return self[0]


class Pane:
    def __init__(self, owner, type):
        self.owner = owner
        self.type = type


# What went wrong in a callback, what was printed, and with what status a connection was refused.
failures = []
printed = []
refusals = []
root = COMP(None, '')
project1 = COMP(root, 'project1')
ui = UI()
ui.panes.extend([Pane(None, PaneType.TEXTPORT), Pane(project1, PaneType.NETWORKEDITOR)])

WORLD = dict(globals(), op=Function(None))
waiting = []


def answer(id, **content):
    sys.stdout.write(json.dumps({'id': id, **content}) + '\n')
    sys.stdout.flush()


def look():
    for command in list(waiting):
        try:
            if eval(command['until'], WORLD):
                waiting.remove(command)
                answer(command['id'], value=True)
        except Exception as error:
            waiting.remove(command)
            answer(command['id'], error=repr(error))


def carry_out(command):
    try:
        if 'until' in command:
            waiting.append(command)
        elif 'get' in command:
            answer(command['id'], value=eval(command['get'], WORLD))
        else:
            exec(command['do'], WORLD)
            answer(command['id'], value=None)
    except Exception:
        answer(command['id'], error=traceback.format_exc())
    look()


async def main():
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        carry_out(json.loads(line))


if __name__ == '__main__':
    asyncio.run(main())
