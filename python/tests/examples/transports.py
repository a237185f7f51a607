import engineio

# Only use WebSocket transport
client = engineio.Client()
client.connect('ws://localhost:5000', transports=['websocket'])

# Only use polling transport
client.connect('http://localhost:5000', transports=['polling'])
