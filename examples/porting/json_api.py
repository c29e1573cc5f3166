import json

values = {'level': 0.5, 'speed': 1}


def onHTTPRequest(webServerDAT, request, response):
    origin = 'http://panel.local:8080'
    response['Access-Control-Allow-Origin'] = origin
    if request['method'] == 'OPTIONS':
        response['Access-Control-Allow-Methods'] = 'GET, PUT'
        response['Access-Control-Allow-Headers'] = 'Content-Type'
        response['statusCode'] = 204
        response['statusReason'] = 'No Content'
        return response

    name = request['uri'].replace('/values/', '', 1)
    if request['uri'] in ('/', '/values'):
        answer = values
    elif name not in values:
        return response
    elif request['method'] == 'PUT':
        try:
            value = json.loads(request['data'])
        except ValueError:
            value = None
        if not isinstance(value, (int, float)):
            response['statusCode'] = 400
            response['statusReason'] = 'Bad Request'
            response['data'] = 'Send a number as JSON'
            return response
        values[name] = answer = value
    else:
        answer = values[name]
    response['statusCode'] = 200
    response['statusReason'] = 'OK'
    response['Content-Type'] = 'application/json'
    response['data'] = json.dumps(answer)
    return response
