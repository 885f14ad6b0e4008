#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# seeds.sh DIR: inputs that the fuzzer begins with, one for each thing that a driver does
#
# An input is a device (queues and moderation, disk), how it is driven (features,
# then each queue's layout), and steps: see step() in virtio_blk.c.
set -eu
cd "$1"

device='\0\1'		# one queue, a disk in memory
faulty='\1\x8e'		# two queues, a disk that fails and delays, merging
plain='\0\5'		# no features but VERSION_1; a ring of 32
events='\3\5'		# EVENT_IDX and INDIRECT_DESC
erasable='\0\x21'	# a disk in memory that offers discards and so on
flaky='\0\xae'		# the same, failing, delaying, merging
ranges='\x08\5'		# DISCARD, WRITE_ZEROES, SECURE_ERASE
caching='\x38\5'	# and FLUSH and CONFIG_WCE
read='\0\xc5\0\1'	# step 0: a well-formed request: how, its type, its sector
write='\0\x45\1\1'
flush='\0\x41\2\0'
id='\0\xc1\3\0'
unknown='\0\x41\xc0\0\0\0\x63\0'
discard='\0\x41\4\0\x80\3'	# and a segment: 8 sectors at 3
zeroes='\0\x41\5\0\x80\3'
unmap='\0\x41\5\0\x88\3'
secure='\0\x41\6\0\x80\3'
off='\xcf\0' on='\xcf\1'	# the write cache
turn='\10' sleep='\12' settle='\13'

seed() { printf '%b' "$2" > "$1"; }

seed requests "$device$plain$read$turn$write$turn$flush$turn$id$settle"
seed batches "$faulty$events\5$read$write$read$flush$turn\x20$read$turn$turn$sleep$settle"
seed indirect "$device$events\2\xc5\0\1\2\x45\1\2$turn\x82\7\0\0$turn\x82\x30\0\0$settle"
seed descriptors "$device$events\3\0\6\4\1\1\3\1\0\0\0\4\2\0\4\0$turn$settle"
seed indices "$device$plain\6\5$turn\6\xff$turn$settle"
seed packed "$device\x40\5$read$turn$write$turn$flush$turn$id$settle"
seed packed-indirect "$device\x43\5\2\xc5\0\1\2\x45\1\2$turn\x82\7\0\0$turn\x82\x30\0\0$settle"
seed packed-batches "$faulty\x43\2\3$read$write$read$flush$turn\x20$read$turn$turn$sleep$settle"
seed packed-descriptors "$device\x43\5\3\0\6\4\1\1\3\1\0\0\0\4\2\0\4\0$turn$settle"
seed packed-resets "$faulty\x47\5\5$read$turn\14\5$read$turn\15\x43\5\5$read$settle"
seed packed-meanwhile "$device\x43\5\16\3\6\x10\1\0\0\0\0\0\0\0$read$turn$settle"
seed resets "$faulty\7\5\5$read$turn\14\5$read$turn\15\3\5\5$read$settle"
seed layouts "$device\3\xc5\0\1\0\0\2\0\0\3\0\10$read$turn$settle"
seed meanwhile "$device$events\16\3\6\x10\1\0\0\0\0\0\0\0$read$turn$settle"
seed config "$device$plain\17\0\3\17\x20\1"
seed erasure "$erasable$ranges$discard$turn$zeroes$turn$unmap$turn$secure$settle"
seed segments "$erasable$ranges\0\x41\4\0\x86\3\xff\xff\xff\xff\0\0\0\2$turn\0\x40\x82\5\0\x80\3$turn$unknown$settle"
seed failures "$flaky$ranges$write$discard$write$zeroes$unmap$flush$turn$turn\14\5$secure$read$settle"
seed cache "$erasable$caching$write$turn$off$write$zeroes$turn$on$write$flush$settle$off$on"
seed changes "$device$caching\217\0\3\1\1\1\1\1\1\1\1\217\x20\0\0\17\x20\0$read$settle"
seed nothing "$device$ranges$discard$turn$zeroes$turn$off$read$settle"
# A used ring whose flags are the avail index: turning kicks on or off changes it.
seed overlap '\xce\x07\x32\x90\x04\x04\x02\x90\x04\x04\x04\x04\x26\x04\x6c\x04\x04\x04\x31\x01'
