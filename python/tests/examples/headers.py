import engineio

client = engineio.Client()

headers = {
    'Authorization': 'Bearer token123',
    'User-Agent': 'MyApp/1.0'
}

client.connect('https://api.example.com', headers=headers)
