#include <unistd.h>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli/application.h"

int main(int argc, char** argv) {
  // What a script left open would stay open in the daemon, as long as the volume is mounted.
  ::close_range(3, ~0u, 0);
  try {
    std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    int exit_code = weir::cli::run(arguments, std::cout, std::cerr);
    if (std::cout.flush() || exit_code != 0) return exit_code;
    std::cerr << "weir: the command did its work, but standard output cannot be written\n";
    return 1;
  } catch (const std::exception& failure) {
    std::cerr << "weir: internal error: " << failure.what() << "\n";
    return 1;
  }
}
