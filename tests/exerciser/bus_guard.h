#pragma once

#include <setjmp.h>

#include <cerrno>
#include <cstdint>

namespace weir::exerciser {

// Where SIGBUS goes while a mapping is touched; null means that it kills.
extern thread_local sigjmp_buf* bus_target;

// To be called once, before mappings are touched.
void catch_bus_errors();

// Runs `touch`, which reads or stores through a mapping. SIGBUS comes back as -1 with EFAULT, as a system call that
// touches the same memory would have it. Requires: nothing in `touch` needs a destructor.
template <class Touch>
int64_t guarded(Touch touch) {
  sigjmp_buf target;
  if (sigsetjmp(target, 1) != 0) {
    bus_target = nullptr;
    errno = EFAULT;
    return -1;
  }
  bus_target = &target;
  touch();
  bus_target = nullptr;
  return 0;
}

}  // namespace weir::exerciser
