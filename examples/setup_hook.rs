//! A dev server in the setup hook of a desktop app, here with a stand-in for the app so that it needs no toolkit.
//! In a Tauri app the three marked lines are the whole integration, behind `#[cfg(debug_assertions)]`.
//!
//! ```console
//! $ cargo run --example setup_hook -- npm run dev
//! ```

use std::error::Error;

use devrun::Server;

/// Stands in for `tauri::App`: it keeps what it is given for as long as it runs.
#[derive(Default)]
struct App {
    state: Vec<Box<dyn std::any::Any>>,
}

impl App {
    fn manage<T: 'static>(&mut self, state: T) {
        self.state.push(Box::new(state));
    }

    fn open_window(&self, url: &str) {
        println!("a window shows {url}; Enter closes it");
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}

fn setup(app: &mut App) -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().ok_or("name a command: cargo run --example setup_hook -- npm run dev")?;
    let server = Server::command(program).args(words).start()?; // 1: returns when it is ready
    let url = server.url();
    app.manage(server); // 2: it ends with the app, however that ends
    app.open_window(&url); // 3: tauri::WebviewUrl::External(url.parse()?)
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    setup(&mut App::default())
}
