"""The strict edge around the routes: what a connection, a request and its body may be."""
