#pragma once

#include "bench/floor/memory_tree.h"
#include "fuse/handler.h"
#include "vfs/types.h"

namespace weir::bench {

/// Answers the kernel from memory, with what the mount of an embedded volume tells it too: names and attributes that
/// stay valid. What this costs is the price of the kernel channel itself. Thread-safe.
class FloorHandler : public fuse::Handler {
 public:
  void start(const fuse::Negotiated& negotiated) override;
  void handle(const fuse::Request& request, fuse::Responder responder) override;
  void interrupt(uint64_t unique) override;

 private:
  void lookup(const fuse::Request& request, fuse::Responder responder);
  void get_attributes(const fuse::Request& request, fuse::Responder responder);
  void set_attributes(const fuse::Request& request, fuse::Responder responder);
  void make_directory(const fuse::Request& request, fuse::Responder responder);
  void create(const fuse::Request& request, fuse::Responder responder);
  void open(fuse::Responder responder);
  void remove(const fuse::Request& request, fuse::Responder responder);
  void rename(const fuse::Request& request, fuse::Responder responder);
  void read(const fuse::Request& request, fuse::Responder responder);
  void write(const fuse::Request& request, fuse::Responder responder);
  void list(const fuse::Request& request, fuse::Responder responder, bool plus);
  void statistics(fuse::Responder responder);

  MemoryTree tree_;
};

}  // namespace weir::bench
