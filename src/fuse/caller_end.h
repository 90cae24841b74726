#pragma once

#include <cstdint>

namespace weir::fuse {

/// Whether the thread ends as soon as its call does: it has been killed, by whichever signal. False also when that
/// cannot be known, as of threads that this process cannot see (pid 0). Reads /proc; proc(5), "SigPnd": a signal that
/// ends a process becomes a pending SIGKILL of each of its threads (kernel/signal.c, complete_signal()).
bool is_ending(uint32_t pid);

}  // namespace weir::fuse
