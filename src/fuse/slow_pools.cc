#include "fuse/slow_pools.h"

#include <memory>

#include "base/limits.h"
#include "base/network_limits.h"

namespace weir::fuse {

SlowPools::SlowPools()
    : waiting_("weir-wait", limits::kFuseWaitThreads, limits::kFuseSlowQueue),
      early_("weir-early", limits::kFuseEarlyThreads, limits::kFuseSlowQueue),
      uploading_("weir-stored", limits::kFuseUploadWaitThreads, limits::kFuseSlowQueue),
      publishing_("weir-publish", limits::kFusePublishThreads, limits::kFuseSlowQueue) {}

SlowPools::~SlowPools() { ending_ = true; }

void SlowPools::run(ThreadPool& pool, Responder responder, Job job) {
  auto kept = std::make_shared<Responder>(std::move(responder));
  auto work = [kept, job = std::move(job)] { job(std::move(*kept)); };
  if (!pool.try_submit(work)) work();
}

}  // namespace weir::fuse
