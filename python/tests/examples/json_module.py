import engineio
import ujson  # Ultra-fast JSON library

client = engineio.Client(json=ujson)
client.connect('http://localhost:5000')
