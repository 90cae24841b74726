// sync, warm and evict: work on everything below one inode.
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "daemon/commands/commands.h"
#include "daemon/daemon.h"
#include "vfs/admin.h"

namespace weir {

namespace {

Json describe(const vfs::TreeProgress& progress) {
  Json json;
  json["files_total"] = progress.files_total;
  json["files_done"] = progress.files_done;
  json["bytes_total"] = progress.bytes_total;
  json["bytes_done"] = progress.bytes_done;
  json["failed"] = progress.failed;
  if (!progress.last_error.empty()) json["last_error"] = progress.last_error;
  return json;
}

/// What keeps uploads from going on, or slow; nothing: they run.
std::optional<std::string> why_uploads_wait(Daemon& daemon) {
  const object::RetryingStore::Health health = daemon.opened().store->health();
  if (health.failing_ms > 0)
    return fmt::format("the object store fails for {} s: {}", (health.failing_ms + 999) / 1000, health.last_failure);
  if (const double rate = daemon.opened().store->rates().writes; rate > 0)
    return fmt::format("the object store asks for fewer requests, and gets {:.1f} in a second", rate);
  const vfs::UploadStatus upload = vfs::status(daemon.filesystem()).upload;
  if (upload.uploaded_chunks == 0 && !upload.last_error.empty()) return upload.last_error;
  return std::nullopt;
}

/// Passes progress on, but not more often than anybody can look.
vfs::TreeWatcher watcher_of(const ReportProgress& report, Daemon& daemon, bool uploads) {
  return [&report, &daemon, uploads, next_ms = int64_t{0}](const vfs::TreeProgress& progress) mutable {
    int64_t now_ms = daemon.opened().clock.monotonic_ns() / 1'000'000;
    if (now_ms < next_ms) return true;
    next_ms = now_ms + limits::kProgressIntervalMs;
    Json described = describe(progress);
    if (uploads)
      if (auto why = why_uploads_wait(daemon)) described["waits"] = *why;
    return report(described);
  };
}

Result<InodeId> inode_of(const Json& request) {
  auto inode = json_number(request, "inode");
  if (!inode) return error(Code::kInvalid, "the request has no inode number");
  return InodeId{*inode};
}

Result<meta::ContentState> state_of(const Json& request) {
  std::string text = json_text(request, "to").value_or("stored");
  if (text == "local") return meta::ContentState::kLocal;
  if (text == "zone") return meta::ContentState::kZone;
  if (text == "stored") return meta::ContentState::kStored;
  return error(Code::kInvalid, "'{}' is no state; there are local, zone and stored", text);
}

Result<Json> described(const Result<vfs::TreeProgress>& progress) {
  TRY(progress);
  return describe(*progress);
}

}  // namespace

Result<Json> run_sync(Daemon& daemon, const Json& request, const ReportProgress& progress) {
  ASSIGN_OR_RETURN(InodeId inode, inode_of(request));
  ASSIGN_OR_RETURN(meta::ContentState state, state_of(request));
  return described(vfs::sync_tree(daemon.filesystem(), inode, state,
                                  watcher_of(progress, daemon, state != meta::ContentState::kLocal)));
}

Result<Json> run_warm(Daemon& daemon, const Json& request, const ReportProgress& progress) {
  ASSIGN_OR_RETURN(InodeId inode, inode_of(request));
  return described(vfs::warm_tree(daemon.filesystem(), inode, watcher_of(progress, daemon, false)));
}

Result<Json> run_evict(Daemon& daemon, const Json& request, const ReportProgress& progress) {
  ASSIGN_OR_RETURN(InodeId inode, inode_of(request));
  return described(vfs::evict_tree(daemon.filesystem(), inode, watcher_of(progress, daemon, false)));
}

}  // namespace weir
