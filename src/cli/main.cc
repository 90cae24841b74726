#include <unistd.h>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "cli/application.h"
#include "daemon/mount/launch.h"
#include "daemon/supervisor/spawn.h"

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const bool of_a_mount = mode == weir::kDaemonMode || mode == weir::kSupervisorMode;
  // What a script left open would stay open in the daemon, as long as the volume is mounted.
  ::close_range(of_a_mount ? weir::kInheritedSocket + 1 : 3, ~0u, 0);
  try {
    if (mode == weir::kDaemonMode) return weir::run_daemon_process();
    if (mode == weir::kSupervisorMode) return weir::run_supervisor_process();
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
