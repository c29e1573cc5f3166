"""Runs callbacks as TouchDesigner would, with what they use of it; events and results are JSON."""

import json
import sys
from types import SimpleNamespace


class Operator:
    def __init__(self, name):
        self.name = name
        self.text = 'the text of ' + name
        self.storage = {}
        self.pulses = 0
        self.par = SimpleNamespace(reloadpulse=SimpleNamespace(pulse=self.pulse))

    def pulse(self):
        self.pulses += 1

    def fetch(self, key, default):
        return self.storage.get(key, default)

    def store(self, key, value):
        self.storage[key] = value


class WebServerDAT:
    name = 'webserver1'

    def __init__(self):
        self.webSocketConnections = []
        self.sent = []

    def webSocketSendText(self, client, data):
        self.sent.append([client, data])


operators = {}
script, folder = sys.argv[1:]
callbacks = {
    'op': lambda name: operators.setdefault(name, Operator(name)),
    'project': SimpleNamespace(folder=folder),
}
with open(script) as file:
    exec(compile(file.read(), script, 'exec'), callbacks)


def call(name, *arguments):
    return callbacks[name](dat, *arguments) if name in callbacks else None


dat = WebServerDAT()
call('onServerStart')
results = []
for event in json.load(sys.stdin):
    dat.sent = []
    response = None
    if 'open' in event:
        dat.webSocketConnections.append(event['open'])
        call('onWebSocketOpen', event['open'], '/')
    elif 'text' in event:
        call('onWebSocketReceiveText', event['from'], event['text'])
    else:
        request = {'method': event['method'], 'uri': event['uri'], 'pars': {}, **event.get('headers', {})}
        request['data'] = event.get('body', '').encode()
        response = call('onHTTPRequest', request, {'statusCode': 404, 'statusReason': 'Not Found', 'data': ''})
        if isinstance(response['data'], bytes):
            response['data'] = response['data'].decode()
    results.append({'response': response, 'sent': dat.sent})
state = {name: [operator.storage, operator.pulses] for name, operator in operators.items()}
json.dump({'results': results, 'operators': state}, sys.stdout)
