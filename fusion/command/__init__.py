"""How the command reads its arguments, says what is wrong with them, stops, and goes on."""
