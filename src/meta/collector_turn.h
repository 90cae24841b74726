#pragma once

#include <memory>

#include "meta/volume.h"

namespace weir::meta {

/// The one collector of a volume: its `W` row, written when a run begins, validated by each of its transactions, and
/// erased at its end. Of a node that is not alive any more it is taken over. One thread at a time.
class CollectorTurn {
 public:
  /// Busy, naming the node: another one collects. Blocks.
  static Result<std::unique_ptr<CollectorTurn>> take(Volume& volume);
  /// Lets go of the row, if it is ours still.
  ~CollectorTurn();

  /// Begins an attempt of a transaction of the run. Fenced: another node collects by now. `first`: of its attempts.
  Status validate(kv::Transaction& transaction, bool first);

 private:
  CollectorTurn(Volume& volume, kv::Version version) : volume_(volume), version_(version) {}

  Volume& volume_;
  const kv::Version version_;
};

}  // namespace weir::meta
