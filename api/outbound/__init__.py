"""What leaves the service for others: webhooks, MQTT, e-mail; one durable queue for each target."""
