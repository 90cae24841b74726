#include "base/limits.h"
#include "fuse/encode.h"
#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

namespace {

void read_entries(Service& service, const Request& request, Responder responder, bool plus) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_read_in>();
  if (reader.failed() || in.size > limits::kFuseIoBytes) return answer_malformed(std::move(responder));
  DirectoryPacker packer(in.size, plus, service.lifetimes);
  const Status walked = service.filesystem.read_directory(
      in.fh, in.offset, plus, [&packer](const vfs::DirectoryItem& item) { return packer.add(item); });
  // An error behind entries that were found would hide them; the kernel asks for what follows, and meets it again.
  if (!walked && packer.bytes().empty()) return responder.fail(walked.error());
  responder.ok(packer.bytes());
}

}  // namespace

void open_directory(Service& service, const Request& request, Responder responder) {
  // Absent names are kept only where every change goes through this kernel: it then knows when a list that it has is
  // out of date, and reading a directory again costs no request.
  const uint32_t flags = service.lifetimes.absent_ms > 0 ? FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE : 0;
  answer(std::move(responder), service.filesystem.open_directory(caller_of(request), node_of(request)),
         [flags](vfs::HandleId handle) {
           return OpenOut{handle, flags, 0};
         });
}

void read_directory(Service& service, const Request& request, Responder responder) {
  read_entries(service, request, std::move(responder), false);
}

void read_directory_plus(Service& service, const Request& request, Responder responder) {
  read_entries(service, request, std::move(responder), true);
}

void release_directory(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_release_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  service.filesystem.release_directory(in.fh);
  responder.ok();
}

void sync_directory(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_fsync_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  service.pools.publish(std::move(responder), [&service, in](Responder later) {
    answer(std::move(later), service.filesystem.sync_directory(in.fh));
  });
}

}  // namespace weir::fuse::ops
