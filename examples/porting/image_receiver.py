import os

path = project.folder + '/uploads/latest.jpg'


def onHTTPRequest(webServerDAT, request, response):
    if request['uri'] == '/':
        response['statusCode'] = 200
        response['statusReason'] = 'OK'
        response['data'] = '<img src="/image" alt="No image yet">'
        return response
    if request['uri'] != '/image':
        return response
    if request['method'] == 'POST':
        if request.get('Content-Type') != 'image/jpeg':
            response['statusCode'] = 415
            response['statusReason'] = 'Unsupported Media Type'
            response['data'] = 'Send a JPEG as image/jpeg'
            return response
        with open(path, 'wb') as file:
            file.write(request['data'])
        op('moviefilein1').par.reloadpulse.pulse()
        for client in webServerDAT.webSocketConnections:
            webServerDAT.webSocketSendText(client, 'new image')
        response['statusCode'] = 201
        response['statusReason'] = 'Created'
    elif os.path.exists(path):
        with open(path, 'rb') as file:
            response['data'] = file.read()
        response['statusCode'] = 200
        response['statusReason'] = 'OK'
        response['Content-Type'] = 'image/jpeg'
    return response


def onServerStart(webServerDAT):
    os.makedirs(project.folder + '/uploads', exist_ok=True)
