#include "fuse/ops/operation.h"

namespace weir::fuse {

void Service::publish(Responder responder, SlowPools::Job job) {
  if (writers_open.load(std::memory_order_relaxed) == 0) return job(std::move(responder));
  pools.publish(std::move(responder), std::move(job));
}

vfs::Caller caller_of(const Request& request) {
  return {request.header.uid, request.header.gid, request.header.pid, request.header.unique};
}

void answer(Responder responder, const Status& status) {
  if (!status) return responder.fail(status.error());
  responder.ok();
}

void answer_malformed(Responder responder) {
  responder.fail(Error{Code::kInvalid, "the body of the request is malformed"});
}

}  // namespace weir::fuse
