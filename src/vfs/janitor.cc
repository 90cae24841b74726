#include "vfs/janitor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "vfs/collector.h"
#include "vfs/core.h"
#include "vfs/foreign.h"
#include "vfs/publisher.h"

namespace weir::vfs {

namespace {

constexpr int64_t kRoundMs = 5000;  // how old a close may be at most to be lost in a power failure
constexpr int64_t kSettleMs = 20;
constexpr int64_t kCarryMs = 5000;        // how long attributes wait for a publish at least; other nodes see them later
constexpr int64_t kLookEveryMs = 60'000;  // at open files, for what other nodes did to them
constexpr int64_t kCollectEveryMs = 600'000;

}  // namespace

Janitor::Janitor(Core& core)
    : core_(core), last_collect_ns_(core.volume.clock().monotonic_ns()), thread_([this] { run(); }) {}

Janitor::~Janitor() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Janitor::wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void Janitor::run() {
  pthread_setname_np(pthread_self(), "weir-janitor");
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!stopping_ && !woken_) changed_.wait_for_ms(mutex_, kRoundMs);
      if (stopping_) return;
      if (std::exchange(woken_, false)) {
        // The kernel lets go of a file some moments after it told of the close.
        changed_.wait_for_ms(mutex_, kSettleMs);
        if (stopping_) return;
      }
    }
    make_durable();
    publish_again();
    commit_attributes();
    look_at_foreign();
    core_.buffers.trim();
    if (core_.volume.clock().monotonic_ns() - last_collect_ns_ >= kCollectEveryMs * 1'000'000) collect();
  }
}

void Janitor::make_durable() {
  uint64_t publications = core_.publications;
  if (publications != publications_synced_) {
    Status synced = core_.cache.barrier();
    if (!synced) log::warning("barrier of the cache: {}", synced.error().what);
    if (synced) publications_synced_ = publications;
  }
  if (Status synced = core_.barrier(); !synced) log::warning("barrier of the metadata: {}", synced.error().what);
}

void Janitor::publish_again() {
  for (FileRef& file : core_.take_unpublished()) {
    Status published = publish(core_, {}, *file);
    if (published) published = settle(*file);
    if (published) {
      core_.let_go(std::move(file));
    } else {
      core_.keep_unpublished(std::move(file));
    }
  }
}

Status Janitor::settle(File& file) {
  uint16_t epoch = 0;
  {
    MutexLock lock(file.mutex);
    if (!file.draft || !file.draft->live()) return {};
    epoch = file.sights.current();
  }
  // While the draft is live nobody reads through the page cache, so what is dropped stays away.
  if (KernelCache* kernel = core_.kernel_cache) {
    kernel->drop_content(KernelNode::of(file.id, epoch));
    kernel->drain();
  }
  return settle_live(core_, file);
}

void Janitor::commit_attributes() {
  Status committed;
  for (InodeId inode : core_.take_carrying(kCarryMs)) {
    // While the engine is away one attempt is enough: the others wait for the next round.
    if (committed) committed = commit_carried_of(core_, inode);
    if (!committed) core_.carries_from_now(inode);
  }
  if (!committed) log::warning("attributes of open files are not committed yet: {}", committed.error().what);
}

void Janitor::look_at_foreign() {
  const int64_t now_ns = core_.volume.clock().monotonic_ns();
  const int64_t every_ms = std::min(kLookEveryMs, core_.volume.settings().grace_ms / 4);
  if (!core_.shared || (!core_.superseded && now_ns - last_look_ns_ < every_ms * 1'000'000)) return;
  last_look_ns_ = now_ns;
  look_at_open_files(core_);
}

void Janitor::collect() {
  last_collect_ns_ = core_.volume.clock().monotonic_ns();
  auto report = collect_garbage(core_, false, [this](const meta::CollectReport&) {
    MutexLock lock(mutex_);
    return !stopping_;
  });
  if (!report) log::warning("collector: {}", report.error().what);
}

}  // namespace weir::vfs
