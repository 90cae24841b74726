#include <algorithm>
#include <atomic>

#include "base/limits.h"
#include "base/sha256.h"
#include "bench/metadata/stage.h"
#include "meta/attributes.h"
#include "meta/content.h"
#include "meta/directory.h"
#include "meta/names.h"

namespace weir::bench {
namespace {

constexpr size_t kKeysOfCommit = 10;

const meta::NewInode kFile{.type = FileType::kFile, .mode = 0644};
const meta::NewInode kDirectory{.type = FileType::kDirectory, .mode = 0755};
const meta::IsOpen kNothingOpen;

std::string name_of(size_t index) { return fmt::format("file-{:06}", index); }

Result<InodeId> new_directory(meta::Volume& volume) {
  static std::atomic<size_t> made = 0;
  ASSIGN_OR_RETURN(Inode directory, meta::make(volume, {}, kRootInode, fmt::format("directory{}", made++), kDirectory));
  return directory.id;
}

template <class T>
Status dropped(Result<T> result) {
  if (!result) return Failure(std::move(result).error());
  return {};
}

/// The chunks of a file of `count` chunks that differ from those of other `seed`s.
meta::Publish big_content(InodeId inode, size_t count, const std::string& seed) {
  meta::Publish change{.inode = inode, .replaces = true, .size = count * limits::kChunkBytes};
  for (size_t index = 0; index < count; ++index)
    change.changes.push_back({index, ChunkId(sha256(fmt::format("{} {}", seed, index))), true});
  return change;
}

}  // namespace

Status Stage::floor(size_t clients) {
  const std::string bytes(100, 'x');
  ASSIGN_OR_RETURN(double seconds, timed(options_.operations, clients, [&](size_t index, size_t) -> Status {
                     auto transaction = shared_.engine->begin();
                     for (size_t key = 0; key < kKeysOfCommit; ++key) {
                       const std::string name = fmt::format("~{}/{}/{}", clients, index, key);
                       transaction->expect(name, 0);
                       transaction->put(name, bytes);
                     }
                     TRY(transaction->commit());
                     return {};
                   }));
  report(fmt::format("bare commit of {} keys, {} clients", kKeysOfCommit, clients), options_.operations, seconds);
  return {};
}

Status Stage::names(const std::string& what, Node& node, size_t clients) {
  meta::Volume& volume = *node.volume;
  std::vector<InodeId> directories;
  for (size_t client = 0; client < clients; ++client) {
    ASSIGN_OR_RETURN(InodeId directory, new_directory(volume));
    directories.push_back(directory);
  }
  const size_t count = options_.operations;
  // A name's directory is that of its index, whichever thread comes to it.
  const auto measure = [&](const std::string& action, const std::function<Status(InodeId, const std::string&)>& work) {
    const uint64_t reads = node.engine->reads, commits = node.engine->commits;
    auto seconds =
        timed(count, clients, [&](size_t index, size_t) { return work(directories[index % clients], name_of(index)); });
    if (!seconds) return Status(Failure(seconds.error()));
    const auto each = [&](uint64_t trips) { return static_cast<double>(trips) / static_cast<double>(count); };
    report(fmt::format("{}, {} ({:.1f} reads, {:.1f} commits)", action, what, each(node.engine->reads - reads),
                       each(node.engine->commits - commits)),
           count, *seconds);
    return Status();
  };
  TRY(measure("create", [&](InodeId directory, const std::string& name) {
    return dropped(meta::make(volume, {}, directory, name, kFile));
  }));
  TRY(measure("look up", [&](InodeId directory, const std::string& name) {
    return dropped(meta::lookup(volume, directory, name));
  }));
  TRY(measure("look up what is not there", [&](InodeId directory, const std::string& name) -> Status {
    if (meta::lookup(volume, directory, name + "?")) return error(Code::kInternal, "a name too many");
    return {};
  }));
  TRY(measure("stat a directory",
              [&](InodeId directory, const std::string&) { return dropped(meta::get_inode(volume, directory)); }));
  TRY(measure("rename", [&](InodeId directory, const std::string& name) {
    return dropped(meta::rename(volume, {}, directory, name, directory, name + "b", {}, kNothingOpen));
  }));
  return measure("unlink", [&](InodeId directory, const std::string& name) {
    return dropped(meta::unlink(volume, {}, directory, name + "b", kNothingOpen));
  });
}

Status Stage::contents(const std::string& what, Node& node) {
  meta::Volume& volume = *node.volume;
  ASSIGN_OR_RETURN(const InodeId directory, new_directory(volume));
  const std::string bytes(limits::kInlineContentBytes, 'x');
  ASSIGN_OR_RETURN(double seconds, timed(options_.operations, 1, [&](size_t index, size_t) -> Status {
                     ASSIGN_OR_RETURN(Inode inode, meta::make(volume, {}, directory, name_of(index), kFile));
                     TRY(meta::publish(volume, {}, {.inode = inode.id, .size = bytes.size(), .inline_bytes = bytes}));
                     return {};
                   }));
  report("create and publish 4 KiB, " + what, options_.operations, seconds);
  constexpr size_t kRounds = 5;
  for (const auto& [label, chunks] : {std::pair{"1 chunk", size_t{1}}, {"2,560 chunks (10 GiB)", size_t{2560}}}) {
    std::vector<InodeId> inodes;
    for (size_t round = 0; round < kRounds; ++round) {
      ASSIGN_OR_RETURN(Inode inode, meta::make(volume, {}, directory, fmt::format("{} {}", label, round), kFile));
      inodes.push_back(inode.id);
    }
    ASSIGN_OR_RETURN(
        seconds, timed(kRounds, 1, [&](size_t round, size_t) -> Status {
          TRY(meta::publish(volume, {}, big_content(inodes[round], chunks, fmt::format("{} {}", label, round))));
          return {};
        }));
    report(fmt::format("publish {}, {}", label, what), kRounds, seconds);
  }
  return {};
}

Status Stage::listing(const std::string& what, Node& node) {
  meta::Volume& volume = *node.volume;
  ASSIGN_OR_RETURN(const InodeId directory, new_directory(volume));
  ASSIGN_OR_RETURN(double seconds, timed(options_.entries, options_.clients, [&](size_t index, size_t) {
                     return dropped(meta::make(volume, {}, directory, name_of(index), kFile));
                   }));
  report(fmt::format("create in one directory, {} clients", options_.clients), options_.entries, seconds);
  for (const bool attributes : {false, true}) {
    size_t found = 0;
    ASSIGN_OR_RETURN(seconds, timed(1, 1, [&](size_t, size_t) -> Status {
                       uint64_t cookie = 0;
                       for (;;) {
                         ASSIGN_OR_RETURN(auto entries, meta::read_directory(volume, directory, cookie,
                                                                             limits::kScanRows, attributes));
                         found += entries.size();
                         if (entries.size() < limits::kScanRows) return {};
                         cookie = entries.back().cookie;
                       }
                     }));
    if (found != options_.entries) return error(Code::kInternal, "{} names of {}", found, options_.entries);
    report(fmt::format("list names{}, {}", attributes ? " with attributes" : "", what), found, seconds);
  }
  return {};
}

Status Stage::one_directory_by_nodes() {
  ASSIGN_OR_RETURN(const InodeId directory, new_directory(*shared_.volume));
  std::vector<Node*> nodes = {&shared_};
  for (Node& other : others_) nodes.push_back(&other);
  uint64_t conflicts = 0;
  for (Node* node : nodes) conflicts -= node->engine->conflicts;
  // Two clients a node.
  const size_t count = options_.operations * 5;
  ASSIGN_OR_RETURN(double seconds, timed(count, 2 * nodes.size(), [&](size_t index, size_t thread) {
                     return dropped(meta::make(*nodes[thread % nodes.size()]->volume, {}, directory,
                                               "of all " + name_of(index), kFile));
                   }));
  for (Node* node : nodes) conflicts += node->engine->conflicts;
  report(fmt::format("create in one directory, {} nodes ({:.1f} % retries)", nodes.size(),
                     100.0 * static_cast<double>(conflicts) / static_cast<double>(count)),
         count, seconds);
  return {};
}

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

Status Stage::same_chunks_by_nodes() {
  constexpr size_t kChunks = 1024;
  constexpr int kRounds = 9;
  std::vector<Node*> nodes = {&shared_};
  for (Node& other : others_) nodes.push_back(&other);
  const auto publish_by = [&](size_t count, const std::string& seed) -> Result<double> {
    ASSIGN_OR_RETURN(const InodeId directory, new_directory(*shared_.volume));
    std::vector<InodeId> inodes;
    for (size_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(Inode inode, meta::make(*shared_.volume, {}, directory, name_of(i), kFile));
      inodes.push_back(inode.id);
    }
    return timed(count, count, [&](size_t index, size_t) -> Status {
      TRY(meta::publish(*nodes[index]->volume, {}, big_content(inodes[index], kChunks, seed)));
      return {};
    });
  };
  // Both in turn, because a single one is a matter of chance.
  std::vector<double> of_one, of_all;
  for (int round = 0; round < kRounds; ++round) {
    ASSIGN_OR_RETURN(of_one.emplace_back(), publish_by(1, fmt::format("alone {}", round)));
    ASSIGN_OR_RETURN(of_all.emplace_back(), publish_by(nodes.size(), fmt::format("together {}", round)));
  }
  const double alone = median(of_one), together = median(of_all);
  report(fmt::format("publish {} chunks, 1 node", kChunks), 1, alone);
  report(fmt::format("publish the same {} chunks, {} nodes ({:.1f} times)", kChunks, nodes.size(), together / alone), 1,
         together);
  return {};
}

}  // namespace weir::bench
