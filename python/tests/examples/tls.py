import engineio
import requests

# Create custom HTTP session with SSL settings
session = requests.Session()
session.verify = '/path/to/ca-bundle.crt'

client = engineio.Client(
    http_session=session,
    ssl_verify=True,
    request_timeout=10
)

client.connect('https://secure-server.com')
