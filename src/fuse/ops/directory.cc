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
      node_of(request), in.offset, plus, [&packer](const vfs::DirectoryItem& item) { return packer.add(item); });
  // An error behind entries that were found would hide them; the kernel asks for what follows, and meets it again.
  if (!walked && packer.bytes().empty()) return responder.fail(walked.error());
  responder.ok(packer.bytes());
}

}  // namespace

void open_directory(Service& service, const Request& /*request*/, Responder responder) {
  // Absent names are kept only where every change goes through this kernel: it then knows when a list that it has is
  // out of date. Told so, it never asks again, and reading a directory again costs no request.
  if (service.lifetimes.absent_ms > 0) return responder.fail_with_errno(ENOSYS);
  const OpenOut opened{};
  responder.ok(std::string_view(reinterpret_cast<const char*>(&opened), sizeof(opened)));
}

void read_directory(Service& service, const Request& request, Responder responder) {
  read_entries(service, request, std::move(responder), false);
}

void read_directory_plus(Service& service, const Request& request, Responder responder) {
  read_entries(service, request, std::move(responder), true);
}

void release_directory(Service& /*service*/, const Request& /*request*/, Responder responder) { responder.ok(); }

void sync_directory(Service& service, const Request& /*request*/, Responder responder) {
  service.pools.publish(std::move(responder),
                        [&service](Responder later) { answer(std::move(later), service.filesystem.sync_directory()); });
}

}  // namespace weir::fuse::ops
