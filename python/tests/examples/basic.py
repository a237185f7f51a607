import engineio

client = engineio.Client()

@client.on('connect')
def on_connect():
    print('Connected!')
    client.send('Hello from client')

@client.on('message')
def on_message(data):
    print(f'Server says: {data}')

client.connect('http://localhost:5000')
client.wait()
