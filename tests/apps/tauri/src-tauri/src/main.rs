//! A desktop application that tells what page it has loaded, and ends when it is asked to: the file `orders` of the
//! working folder says how (`close`: the window; `exit`: the program, with status 3).

use std::fs;
use std::time::Duration;

use tauri::Manager;

fn main() {
    tauri::Builder::default()
        .on_page_load(|_, page| {
            let _ = fs::write("loaded", page.url().as_str());
        })
        .setup(|app| {
            let app = app.handle().clone();
            std::thread::spawn(move || loop {
                match fs::read_to_string("orders").unwrap_or_default().trim() {
                    "close" => app.webview_windows().into_values().for_each(|w| w.close().unwrap_or_default()),
                    "exit" => app.exit(3),
                    _ => {}
                }
                std::thread::sleep(Duration::from_millis(50));
            });
            Ok(())
        })
        .run(tauri::generate_context!())
        .expect("the application runs");
}
