#pragma once

#include "base/result.h"
#include "daemon/control/message.h"
#include "daemon/json.h"
#include "daemon/volume/metadata_url.h"

/// What the commands of `weir` do, one a file; requests and results are described in docs/commands.md.
namespace weir {

class Daemon;
struct OpenedVolume;

/// Answers a request about a mounted volume. Unsupported: no such command. Invalid: a field is missing or makes no
/// sense. Blocks as long as the command takes. Any thread.
Result<Json> run_command(Daemon& daemon, const Json& request, const ReportProgress& progress);

/// The same for a volume that no daemon serves: opens it for as long as the command takes. Only for "status", "gc" and
/// "fsck". Errors also as open_volume().
Result<Json> run_unmounted_command(const MetadataUrl& metadata, const Json& request, const ReportProgress& progress);

Result<Json> run_status(Daemon& daemon);
Result<Json> run_unmounted_status(const MetadataUrl& metadata);
Result<Json> run_stat(Daemon& daemon, const Json& request);
Result<Json> run_sync(Daemon& daemon, const Json& request, const ReportProgress& progress);
Result<Json> run_warm(Daemon& daemon, const Json& request, const ReportProgress& progress);
Result<Json> run_evict(Daemon& daemon, const Json& request, const ReportProgress& progress);
Result<Json> run_gc(Daemon& daemon, const Json& request, const ReportProgress& progress);
Result<Json> run_unmounted_gc(OpenedVolume& opened, const Json& request, const ReportProgress& progress);
Result<Json> run_fsck(Daemon& daemon, const Json& request, const ReportProgress& progress);
Result<Json> run_unmounted_fsck(OpenedVolume& opened, const Json& request, const ReportProgress& progress);
Result<Json> run_umount(Daemon& daemon, const Json& request);
Result<Json> run_upgrade(Daemon& daemon, const Json& request);

}  // namespace weir
