# Decorator syntax
@client.on('connect')
def on_connect():
    print('Connected to server')
    client.send('Hello Server!')

@client.on('message')
def on_message(data):
    print(f'Received from server: {data}')

@client.on('disconnect')
def on_disconnect():
    print('Disconnected from server')

# Method syntax
def handle_message(data):
    print(f'Message: {data}')

client.on('message', handle_message)
