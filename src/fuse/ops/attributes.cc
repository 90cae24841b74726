#include "fuse/encode.h"
#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

void get_attributes(Service& service, const Request& request, Responder responder) {
  answer(std::move(responder), service.filesystem.get_attributes(node_of(request), caller_of(request)),
         [&](const vfs::Attributes& found) { return encode_attributes_reply(found, service.lifetimes); });
}

void set_attributes(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_setattr_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  auto job = [&service, caller = caller_of(request), node = node_of(request),
              change = decode_set_attributes(in)](Responder later) {
    answer(std::move(later), service.filesystem.set_attributes(caller, node, change),
           [&](const vfs::Attributes& now) { return encode_attributes_reply(now, service.lifetimes); });
  };
  // Cutting a chunk that is not here needs its bytes; cutting all needs none.
  const bool may_wait = (in.valid & FATTR_SIZE) != 0 && in.size != 0;
  if (may_wait) return service.pools.wait_for_store(std::move(responder), std::move(job));
  job(std::move(responder));
}

void statx(Service& service, const Request& request, Responder responder) {
  answer(std::move(responder), service.filesystem.get_attributes(node_of(request), caller_of(request)),
         [&](const vfs::Attributes& found) { return encode_statx(found, service.lifetimes); });
}

void statistics(Service& service, const Request& /*request*/, Responder responder) {
  answer(std::move(responder), service.filesystem.statistics(),
         [](const vfs::VolumeStatistics& found) { return encode_statistics(found); });
}

}  // namespace weir::fuse::ops
