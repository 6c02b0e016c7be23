"""The rules: each says what is true *now*; `detector.episodes` holds, releases and repeats."""
