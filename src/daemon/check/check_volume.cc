#include "daemon/check/check_volume.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/limits.h"
#include "base/size_text.h"
#include "cache/cache.h"
#include "daemon/check/cached.h"
#include "daemon/check/contents.h"
#include "daemon/check/objects.h"
#include "daemon/check/paths.h"
#include "meta/content.h"
#include "meta/keys.h"
#include "meta/unstored.h"
#include "model/chunk.h"

namespace weir {

namespace {

/// One look at everything.
class Check {
 public:
  Check(meta::Volume& volume, object::ObjectStore& store, cache::Cache* cache, const CheckRequest& request,
        const CheckWatcher& watch)
      : volume_(volume), store_(store), cache_(cache), request_(request), watch_(watch) {}

  Result<CheckResult> run() {
    TRY(check_metadata());
    chunks_.sort();
    TRY(check_objects());
    TRY(check_unstored());
    if (request_.deep) TRY(check_contents());
    TRY(report_chunks());
    if (cache_ != nullptr) TRY(check_cached());
    TRY(report_unknown());
    return std::move(result_);
  }

 private:
  Status proceed(const char* phase, uint64_t done, uint64_t total) {
    if (!watch_ || watch_({phase, done, total})) return {};
    return error(Code::kInterrupted, "the check was stopped");
  }

  void report(meta::Problem problem) {
    ++result_.problem_count;
    if (problem.repaired) ++result_.repaired_count;
    if (result_.problems.size() < limits::kReportedProblems) result_.problems.push_back(std::move(problem));
  }

  Status check_metadata() {
    TRY(proceed("metadata", 0, 0));
    ASSIGN_OR_RETURN(result_.counts,
                     meta::check(
                         volume_, request_.repair, [&](const meta::Problem& problem) { report(problem); },
                         [&](const ChunkId& id, const ChunkRecord& record) { chunks_.add(id, record); }));
    return {};
  }

  Status check_objects() {
    TRY(match_objects(
        store_, chunks_, [&](const auto& object, const auto& identity) { strangers_.emplace_back(object, identity); },
        [&](uint64_t objects, uint64_t bytes) {
          result_.objects = objects;
          result_.object_bytes = bytes;
          return proceed("objects", objects, 0).has_value();
        }));
    for (const NamedChunk& chunk : chunks_.all()) {
      if (chunk.record.state != ChunkState::kStored) continue;
      std::string name = chunk_object_name(chunk.id, chunk.record.generation);
      if (!chunk.object_bytes) {
        findings_.push_back(
            {chunk.id, chunk.record, "missing_object", fmt::format("object {} is not in the store", name)});
      } else if (*chunk.object_bytes != chunk.record.length_bytes) {
        findings_.push_back({chunk.id, chunk.record, "wrong_object_size",
                             fmt::format("object {} has {} bytes instead of {}", name, *chunk.object_bytes,
                                         chunk.record.length_bytes)});
      }
    }
    return {};
  }

  Status check_cached() {
    TRY(proceed("cache", 0, 0));
    return check_cache(volume_, store_, *cache_, chunks_, request_,
                       [&](meta::Problem problem) { report(std::move(problem)); });
  }

  /// A chunk that is not stored may be in the store nevertheless: its upload was not noted yet.
  Status check_unstored() {
    for (const NamedChunk& chunk : chunks_.all()) {
      if (chunk.record.state == ChunkState::kStored) continue;
      ++result_.unstored_chunks;
      if (chunk.object_bytes == chunk.record.length_bytes) continue;
      std::optional<Bytes> bytes;
      if (cache_ != nullptr) {
        ASSIGN_OR_RETURN(bytes, cached_bytes(*cache_, chunk));
      }
      if (bytes) continue;
      ASSIGN_OR_RETURN(const bool elsewhere, is_held_elsewhere(chunk.id));
      if (elsewhere) {
        ++result_.unstored_elsewhere;
        continue;
      }
      findings_.push_back({chunk.id, chunk.record, "lost_chunk",
                           fmt::format("chunk {} was never stored and is not in {}", chunk.id.hex(),
                                       cache_ == nullptr ? "a cache that could be looked at" : "this node's cache")});
    }
    return {};
  }

  /// Another node has it in its cache, which only that node can look at.
  Result<bool> is_held_elsewhere(const ChunkId& id) {
    ASSIGN_OR_RETURN(auto rows, volume_.engine().begin()->scan(meta::keys::duties_of(id), limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(meta::keys::DutyKey duty, meta::keys::parse_duty(row.key));
      if (duty.node != volume_.node()) return true;
    }
    return false;
  }

  Status check_contents() {
    std::vector<NamedChunk> stored;
    for (const NamedChunk& chunk : chunks_.all())
      if (chunk.object_bytes == chunk.record.length_bytes) stored.push_back(chunk);
    ASSIGN_OR_RETURN(auto found, verify_objects(store_, stored, [&](uint64_t done) {
                       return proceed("contents", done, stored.size()).has_value();
                     }));
    result_.verified_objects = stored.size();
    if (request_.live) TRY(drop_outdated(found));
    findings_.insert(findings_.end(), found.begin(), found.end());
    return {};
  }

  /// An object that the collector deleted meanwhile was rightly not there.
  Status drop_outdated(std::vector<ChunkFinding>& findings) {
    std::vector<ChunkId> ids;
    for (const ChunkFinding& finding : findings) ids.push_back(finding.id);
    ASSIGN_OR_RETURN(auto records, meta::chunk_records(volume_, ids));
    size_t index = 0;
    std::erase_if(findings, [&](const ChunkFinding& finding) {
      const std::optional<ChunkRecord>& now = records[index++];
      return !now || now->generation != finding.record.generation || now->state != ChunkState::kStored;
    });
    return {};
  }

  /// A good copy in the cache makes an object whole again.
  Result<bool> put_again(const ChunkFinding& finding) {
    if (cache_ == nullptr || finding.kind == "lost_chunk") return false;
    NamedChunk* chunk = chunks_.find(finding.id);
    ASSIGN_OR_RETURN(std::optional<Bytes> bytes, cached_bytes(*cache_, *chunk));
    if (!bytes) return false;
    if (request_.repair) TRY(store_.put(chunk_object_name(finding.id, finding.record.generation), *bytes));
    return true;
  }

  Status report_chunks() {
    std::map<ChunkId, std::set<InodeId>> owners;
    std::set<InodeId> inodes;
    for (size_t i = 0; i < findings_.size() && i < limits::kReportedProblems; ++i) {
      ASSIGN_OR_RETURN(std::set<InodeId> of_chunk, meta::owners_of(volume_.engine(), findings_[i].id));
      inodes.insert(of_chunk.begin(), of_chunk.end());
      owners[findings_[i].id] = std::move(of_chunk);
    }
    std::map<InodeId, std::string> paths;
    if (!inodes.empty()) {
      ASSIGN_OR_RETURN(paths, find_paths(volume_.engine(), inodes));
    }
    for (const ChunkFinding& finding : findings_) {
      ASSIGN_OR_RETURN(bool repairable, put_again(finding));
      std::string what = finding.what;
      for (InodeId inode : owners[finding.id])
        what += fmt::format("{}{}", what == finding.what ? "; it is part of " : ", ",
                            paths.contains(inode) ? paths[inode] : fmt::format("inode {}", inode.value));
      report({finding.kind, std::move(what), repairable, repairable && request_.repair});
    }
    return {};
  }

  Status report_unknown() {
    ASSIGN_OR_RETURN(auto unknown, unknown_objects(volume_, strangers_));
    for (const object::ListedObject& object : unknown) {
      if (request_.repair) TRY(store_.remove(object.name));
      report({"orphan_object",
              fmt::format("object {} ({}) belongs to no chunk", object.name, format_bytes(object.info.size)), true,
              request_.repair});
    }
    return {};
  }

  meta::Volume& volume_;
  object::ObjectStore& store_;
  cache::Cache* const cache_;
  const CheckRequest request_;
  const CheckWatcher& watch_;
  NamedChunks chunks_;
  std::vector<ChunkFinding> findings_;
  std::vector<std::pair<object::ListedObject, ObjectIdentity>> strangers_;
  CheckResult result_;
};

bool needs_deep(const meta::Problem& problem) {
  return problem.kind == "corrupt_object" || problem.kind == "unreadable_object" ||
         problem.kind == "corrupt_cached_chunk";
}

/// Keeps what both looks found, and what only the first, deep one could find.
void keep_common(CheckResult& result, const CheckResult& again) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const meta::Problem& problem : again.problems) seen.emplace(problem.kind, problem.what);
  std::erase_if(result.problems, [&](const meta::Problem& problem) {
    return !needs_deep(problem) && !seen.contains({problem.kind, problem.what});
  });
  result.problem_count = result.problems.size();
}

}  // namespace

Result<CheckResult> check_volume(meta::Volume& volume, object::ObjectStore& store, cache::Cache* cache,
                                 const CheckRequest& request, const CheckWatcher& watch) {
  if (request.live && request.repair)
    return error(Code::kBusy, "a volume cannot be repaired while it is mounted; unmount it first");
  ASSIGN_OR_RETURN(CheckResult result, Check(volume, store, cache, request, watch).run());
  for (int round = 1; request.live && result.problem_count > 0 && round < limits::kCheckRounds; ++round) {
    volume.clock().sleep_ms(1000);
    CheckRequest shallow = request;
    shallow.deep = false;
    ASSIGN_OR_RETURN(CheckResult again, Check(volume, store, cache, shallow, watch).run());
    keep_common(result, again);
  }
  return result;
}

}  // namespace weir
