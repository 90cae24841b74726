#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cache/image.h"
#include "cache/staging.h"
#include "model/chunk.h"
#include "model/manifest.h"

namespace weir::cache {

struct Options {
  std::string directory;                         // made with mode 0700 if absent
  std::string volume_id;                         // of the volume it belongs to; another volume's cache is refused
  uint64_t size_bytes_max = 0;                   // for stored content; 0: as much as the disk has beyond the reserve
  uint64_t reserve_bytes = 0;                    // free space that is never used; 0: 5 % of the disk, 10 GiB at most
  std::function<Result<std::string>()> boot_id;  // changes when the machine starts; unset: the kernel's
};

struct Usage {
  uint64_t image_bytes = 0;  // blocks used by images, complete or not
  uint64_t small_bytes = 0;
  uint64_t staging_bytes = 0;
  uint64_t unstored_bytes = 0;  // must be uploaded; cannot be evicted
  uint64_t unstored_contents = 0;
  uint64_t images = 0;
  uint64_t images_complete = 0;
  uint64_t small_contents = 0;
  uint64_t evicted_bytes = 0;  // since the start
  uint64_t size_bytes_max = 0;
  uint64_t disk_free_bytes = 0;
  uint64_t reserve_bytes = 0;
};

/// Chunks whose only safe copy is here, until mark_stored(): a whole or partial image, or one small content.
struct Unstored {
  uint64_t sequence = 0;        // in the order of recording
  ManifestId image;             // zero for a small content
  std::vector<ChunkId> chunks;  // without holes and duplicates
  uint64_t bytes = 0;
  int64_t since_ns = 0;  // realtime
};

/// A staging file that an earlier life left with a record.
struct Recovered {
  std::unique_ptr<Staging> staging;          // none: it was sealed
  Bytes record;                              // of save_record(); empty: none
  uint64_t id = 0;                           // of the staging file
  std::shared_ptr<const Manifest> sealed{};  // the content that it became; nobody called forget_record() after that
  Bytes handover{};                          // of save_handover(); empty: none
};

/// Content whose bytes did not survive a power loss. The owner of names reports it and makes the file empty.
using LostContent = std::function<void(const ManifestId& image, const std::vector<ChunkId>& chunks)>;

/// Where the bytes of a chunk lie.
struct ChunkFile {
  FileDescriptor file;
  uint64_t offset = 0;
};

/// Something in the directory that fits nothing else.
struct CacheProblem {
  std::string kind;  // stable, for programs: "stray_image_file", "wrong_image_size"
  std::string what;  // the sentence for people
  bool repairable = false;
  bool repaired = false;
};

/// The node's disk: images, small content, staging, the journal of what is not stored yet, and eviction.
/// Layout and recovery: docs/formats.md, "Cache directory". Thread-safe. Calls block on the local disk.
class Cache {
 public:
  /// Busy: another process uses the directory. ReadOnly, NoSpace, Access as the disk says, in a sentence. Rebuilds a
  /// missing or damaged index from the files. After a changed boot id (power loss) chunks of incomplete images are
  /// checked before use, and unstored ones once, here; what is lost is told to `lost`.
  static Result<std::unique_ptr<Cache>> open(const Options& options, Clock& clock, const LostContent& lost);
  ~Cache();
  /// The machine has started anew since end_recovery() was called last, and the directory was in use before that.
  bool lost_power() const;
  /// What a power loss asks for of the owner of names is done too: until then, every open looks again at what is here.
  Status end_recovery();

  // Small content: one chunk of at most limits::kSmallContentBytes.
  Result<std::optional<Bytes>> get_small(const ChunkId& id);
  /// Of stored content: may be evicted at any time.
  Status put_small(const ChunkId& id, std::string_view bytes);
  /// Of content that is about to be published: survives process death from the return on, and power loss after
  /// sync_journal(). Stays until mark_stored().
  Status put_small_unstored(const ChunkId& id, std::string_view bytes);

  // Images.
  /// The image of this content: what is here of it, or an empty one to be filled. Requires: manifest->id() == id.
  Result<std::shared_ptr<Image>> open_image(const ManifestId& id, std::shared_ptr<const Manifest> manifest);
  /// Without creating anything: the number of its chunks that are here (holes do not count), nothing if none.
  std::optional<uint64_t> present_chunks(const ManifestId& id);
  /// Reads a chunk wherever on this disk it lies (image or small content). False: not here. The bytes are as the disk
  /// gave them: the caller checks them against the id. Requires: buffer.size() is the chunk's length.
  Result<bool> read_chunk(const ChunkId& id, std::span<char> buffer);
  /// A file in which the chunk lies, to be sent from; nothing if it lies in none that is known to be right, although
  /// read_chunk() may have it. The file may be written or go while it is read: who gets the bytes checks them.
  Result<std::optional<ChunkFile>> chunk_file(const ChunkId& id);

  // Staging.
  Result<std::unique_ptr<Staging>> new_staging();
  /// Turns a staging file into the image of `manifest`. `own`: for each chunk, whether its bytes are in the file (holes
  /// need not be); the others are absent from the image at first. Those chunks are recorded as unstored, in one step
  /// that survives process death, before it returns; power loss after sync_image(). On failure the staging file is as
  /// it was, and given back. If there is an image of this content already, the better of both stays.
  /// `keep_record`: a record that was saved with the staging file stays, to be recovered together with the manifest,
  /// until forget_record() is called. So a crash between the seal and a safe publish cannot lose what was synced.
  Result<std::shared_ptr<Image>> seal(std::unique_ptr<Staging>& staging, std::shared_ptr<const Manifest> manifest,
                                      const std::vector<bool>& own, bool keep_record = false);
  /// Ends what `keep_record` began. Absence is fine.
  Status forget_record(uint64_t staging_id);
  /// Makes the file of a complete image a staging file, so that whoever has the file open (the kernel, for readers of
  /// one inode) sees what is written to it. In two steps: the file gets a second name as a staging file, with which the
  /// caller may save a record; then it stops being the image, which is taken() from then on. What of it is not stored
  /// is copied into an incomplete image first, which has its place. Nothing may be written before the second step is
  /// over; when that fails, or never comes, the image is as it was. Requires: image.complete(), image.lend(). Stale:
  /// somebody else took it. NoSpace.
  Result<std::unique_ptr<Staging>> begin_take_over(Image& image);
  Status finish_take_over(Image& image);
  /// The way back: the file, which holds all of the content, becomes its complete image, safe against power loss. Only
  /// for content of which every chunk is stored or recorded as unstored already. If somebody has the content's image
  /// open, that one stays and the file goes; Busy, and nothing changed, if somebody has the file open too. `inode`:
  /// whose readers may still have it mapped.
  Status give_back(std::unique_ptr<Staging>& staging, std::shared_ptr<const Manifest> manifest, InodeId inode);
  /// Left by an earlier life, in the order of their ids; each is given out once.
  std::vector<Recovered> take_recovered();

  // Safety.
  /// The image's bytes and its record survive power loss when it returns.
  Status sync_image(const Image& image);
  Status sync_journal();
  /// Everything written before this call survives power loss: syncfs and journal. Callers at once share one.
  Status barrier();

  // Upload.
  /// Up to `limit` records behind `after` (0: from the oldest), oldest first.
  std::vector<Unstored> unstored(uint64_t after, size_t limit);
  /// Blocks: until there is a record newer than `sequence`, or the time is over. The newest sequence.
  uint64_t wait_unstored(uint64_t sequence, int64_t timeout_ms);
  /// All chunks of the record are in the store or wanted by nobody: from now on it may be evicted. Makes the image's
  /// bytes safe against power loss first, because nothing checks them later.
  Status mark_stored(const Unstored& record);

  // Eviction.
  /// Drops the local copy now. Busy: it is open, or not stored yet. Absence is fine.
  Status evict_image(const ManifestId& id);
  Status evict_small(const ChunkId& id);
  /// Evicts stored content until at most `target_bytes` of it are left; in use and hot last. Bytes freed.
  uint64_t evict_to(uint64_t target_bytes);
  Usage usage() const;

  /// Looks at every image file. With `repair`, removes what belongs to nothing, and images of a wrong size whose
  /// content is stored and not in use.
  Status check(bool repair, const std::function<void(const CacheProblem&)>& report);

 private:
  friend class Image;
  friend class Staging;
  struct State;
  explicit Cache(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace weir::cache
