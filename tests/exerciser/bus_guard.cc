#include "bus_guard.h"

#include <csignal>

namespace weir::exerciser {

thread_local sigjmp_buf* bus_target = nullptr;

void catch_bus_errors() {
  struct sigaction action {};
  action.sa_handler = [](int signal) {
    if (bus_target != nullptr) siglongjmp(*bus_target, 1);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  };
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace weir::exerciser
