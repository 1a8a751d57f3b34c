run ->(env) { [200, {}, ["puma answers"]] }
