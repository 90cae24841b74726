#include <csignal>
#include <cstdio>

#include "base/shared_memory.h"
#include "bench/floor/floor_handler.h"
#include "fuse/channel.h"
#include "fuse/device.h"
#include "fuse/mount.h"

namespace weir::bench {

namespace {

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// Mounts, and serves until it is asked to end.
Status serve(const std::string& mount_point) {
  const sigset_t ending = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  ASSIGN_OR_RETURN(FileDescriptor device, fuse::mount({.mount_point = mount_point, .volume = "weir-floor"}));
  ASSIGN_OR_RETURN(auto devices, fuse::open_devices(std::move(device), fuse::default_workers()));
  ASSIGN_OR_RETURN(std::shared_ptr<SharedMemory> memory, SharedMemory::create());
  FloorHandler handler;
  ASSIGN_OR_RETURN(const auto channel, fuse::Channel::start(std::move(devices), memory, handler));
  fuse::raise_read_ahead(mount_point);
  int signal = 0;
  ::sigwait(&ending, &signal);
  return fuse::unmount(mount_point, fuse::UnmountMode::kLazy);
}

}  // namespace

}  // namespace weir::bench

int main(int count, char** arguments) {
  if (count != 2) {
    fmt::print(stderr, "usage: weir_floor MOUNT_POINT\n");
    return 2;
  }
  const weir::Status served = weir::bench::serve(arguments[1]);
  if (served) return 0;
  fmt::print(stderr, "weir_floor: {}\n", served.error().what);
  return 1;
}
