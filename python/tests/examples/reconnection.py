import engineio
import time

client = engineio.Client()

@client.on('connect')
def on_connect():
    print('Connected to server')

@client.on('disconnect')
def on_disconnect():
    print('Disconnected, attempting to reconnect...')
    time.sleep(5)
    try:
        client.connect('http://localhost:5000')
    except Exception as e:
        print(f'Reconnection failed: {e}')

client.connect('http://localhost:5000')
client.wait()
