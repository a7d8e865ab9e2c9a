"""What bodies of requests and answers look like. The OpenAPI document is made from them."""
