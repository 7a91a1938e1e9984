"""A model that takes exactly as long as it is told: `python -I -S sleeper.py LOAD_S SERVICE_S`.

For benchmarks.simulator_fidelity: it waits, listens on $PORT, and answers any GET after a while;
each connection has a thread. It imports next to nothing: a dozen that start at once on two cores
shall not make one another late.
"""

import os
import socket
import sys
import threading
import time

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-type: text/plain\r\n\r\nok\n"


def serve(connection: socket.socket, service_s: float) -> None:
    """Answer the requests of one connection, one after the other."""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        while piece := connection.recv(65536):
            received += piece
            while b"\r\n\r\n" in received:
                received = received.partition(b"\r\n\r\n")[2]
                time.sleep(service_s)
                connection.sendall(ANSWER)


def main() -> None:
    """Until it is killed."""
    load_s, service_s = map(float, sys.argv[1:])
    time.sleep(load_s)
    port = int(os.environ["PORT"])  # noqa: TID251 - the port it is given
    with socket.create_server(("127.0.0.1", port), backlog=64) as listening:
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=serve, args=(connection, service_s), daemon=True).start()


if __name__ == "__main__":
    main()
