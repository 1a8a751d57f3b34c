document.title += " here";
