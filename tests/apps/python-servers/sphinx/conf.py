project = "sphinx answers"
