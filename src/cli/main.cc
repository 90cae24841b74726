#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli/application.h"

int main(int argc, char** argv) {
  try {
    std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return weir::cli::run(arguments, std::cout, std::cerr);
  } catch (const std::exception& failure) {
    std::cerr << "weir: internal error: " << failure.what() << "\n";
    return 1;
  }
}
