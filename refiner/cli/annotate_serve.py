"""`refiner annotate serve`: the page on which a person labels a session."""


def serve(
    session: str, *, port: int = 8080, host: str = "127.0.0.1", open: bool = False, who: str | None = None
) -> None:
    """Open the annotation page of a session; its address is the last line that is printed.

    Every change is kept at once. Ctrl+C ends it.

    Args:
        session: The session.
        port: Of the page; 0 = any that is free.
        host: Address to listen on. Beyond this computer visitors need the token that is part of the printed address.
        open: Open the page in the browser.
        who: Whose labels they are until a visitor gives another name; without it the user of this computer.
    """
    from refiner.annotate.desk.desk import Desk
    from refiner.annotate.sessions.session import Session
    from refiner.cli.annotate_files import name_of
    from refiner.web.server import PageServer, require_packages

    require_packages()
    from refiner.web.annotation.page import build

    with Session(session) as opened, PageServer(host, port) as server:
        app = build(Desk(opened), name_of(who), ask_who="token" in server.url)
        server.run(app, lambda: print(server.url, flush=True), open_browser=open)
