import json

values = op('panel').fetch('values', {'level': 0.5, 'speed': 1})


def onHTTPRequest(webServerDAT, request, response):
    if request['uri'] == '/':
        response['statusCode'] = 200
        response['statusReason'] = 'OK'
        response['data'] = op('page').text
    return response


def onWebSocketOpen(webServerDAT, client, uri):
    webServerDAT.webSocketSendText(client, json.dumps(values))


def onWebSocketReceiveText(webServerDAT, client, data):
    message = json.loads(data)
    name, value = message['name'], message['value']
    if name not in values or not isinstance(value, (int, float)):
        return
    values[name] = value
    op('panel').store('values', values)
    change = json.dumps({name: value})
    for other in webServerDAT.webSocketConnections:
        if other != client:
            webServerDAT.webSocketSendText(other, change)
