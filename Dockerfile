# The runtime image: service and worker. Networks are exported outside (see README) and mounted at /networks.
FROM python:3.12-slim
RUN useradd --create-home --uid 10001 watchpost
WORKDIR /app
COPY pyproject.toml README.md LICENSE terminal.py watchpost.py ./
COPY detector detector
COPY models models
COPY streams streams
COPY api api
COPY benchmarks benchmarks
RUN pip install --no-cache-dir .
USER watchpost
ENV WATCHPOST_DATA_DIR=/data WATCHPOST_NETWORKS=/networks
VOLUME ["/data", "/networks"]
EXPOSE 8000
ENTRYPOINT ["watchpost"]
CMD ["serve", "--host", "0.0.0.0"]
