//! An HTTP server on `PORT`, with the standard library alone.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3900);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("rust-server on {port}");
    for stream in listener.incoming() {
        let mut stream = stream?;
        let request = BufReader::new(&stream);
        // The head of the request ends with an empty line; only then may the connection be closed.
        request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
        let body = "rust-server answers";
        // A client that went away is its own business.
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
    }
    Ok(())
}
