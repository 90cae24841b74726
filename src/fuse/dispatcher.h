#pragma once

#include <memory>

#include "fuse/handler.h"

namespace weir::vfs {
class Filesystem;
}

namespace weir::fuse {

struct Service;

/// Serves the kernel's requests from a filesystem: the one place that knows both. Every opcode is served, or answered
/// with the errno with which programs get along best. Thread-safe. The destructor finishes what was begun: first stop
/// the channel, then destroy this, then the filesystem.
class Dispatcher : public Handler {
 public:
  /// Does not own `filesystem`, which must outlive this.
  explicit Dispatcher(vfs::Filesystem& filesystem);
  ~Dispatcher() override;

  void start(const Negotiated& negotiated) override;
  void handle(const Request& request, Responder responder) override;
  void interrupt(uint64_t unique) override;

 private:
  const std::unique_ptr<Service> service_;
};

}  // namespace weir::fuse
