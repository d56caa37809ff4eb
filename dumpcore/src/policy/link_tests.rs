use super::*;

#[test]
fn where_symlinks_have_no_attributes_only_their_target_counts() {
    let capabilities = Capabilities {
        symlinks: false,
        ..Capabilities::everything()
    };
    let mut old = file();
    old.meta.kind = Kind::Symlink;
    old.target = Some(b"there".to_vec());
    let mut new = old.clone();
    (new.meta.uid, new.meta.mtime) = (7, Time::new(999, 0));
    let decide = |capabilities: &Capabilities, new: &Candidate| {
        let verdict = LinkPolicy::new().decide(capabilities, &old, new, || Ok(true));
        verdict.expect("decided")
    };
    assert_eq!(decide(&capabilities, &new), Verdict::Link);
    let all = Capabilities::everything();
    assert_eq!(decide(&all, &new), Verdict::Copy(CopyReason::Mtime));
    new.target = Some(b"elsewhere".to_vec());
    assert_eq!(
        decide(&capabilities, &new),
        Verdict::Copy(CopyReason::Target)
    );
}

fn file() -> Candidate {
    Candidate {
        meta: Meta {
            kind: Kind::File,
            mode: 0o4755,
            uid: 0,
            gid: 0,
            size: 3,
            blocks: 8,
            mtime: Time::new(100, 5),
            atime: Time::new(1, 1),
            ctime: Time::new(2, 2),
            born: None,
            ino: 3,
            dev: 4,
            nlink: 1,
            rdev: 0,
        },
        xattrs: Xattrs::new(vec![(b"user.a".to_vec(), b"1".to_vec())]),
        target: None,
    }
}

#[test]
fn permission_bits_count_only_as_far_as_the_filesystem_keeps_them() {
    let mut old = file();
    let new = old.clone();
    for (kept, shown, linked) in [
        (0o7777, 0o4755, true),
        (0o7777, 0o0777, false),
        (0o0000, 0o0777, true),
        (0o0222, 0o0777, false),
        (0o0200, 0o0777, true),
    ] {
        old.meta.mode = shown;
        let capabilities = Capabilities {
            file_modes: kept,
            ..Capabilities::everything()
        };
        let verdict = decide(&LinkPolicy::new(), &capabilities, &old, &new);
        assert_eq!(verdict == Verdict::Link, linked, "{kept:o} {shown:o}");
    }
}

fn plain_user() -> Capabilities {
    Capabilities {
        chown: false,
        chgrp: false,
        uid: 1000,
        gid: 1000,
        groups: vec![],
        trusted_xattrs: false,
        security_xattrs: false,
        file_capabilities: false,
        ..Capabilities::everything()
    }
}

fn decide(policy: &LinkPolicy, who: &Capabilities, old: &Candidate, new: &Candidate) -> Verdict {
    let unread = || -> io::Result<bool> { panic!("contents were not asked for") };
    policy.decide(who, old, new, unread).expect("no I/O")
}

#[test]
fn each_difference_has_its_reason() {
    type Change = fn(&mut Candidate);
    let cases: [(Change, Verdict); 11] = [
        (|_| {}, Verdict::Link),
        (|c| c.meta.atime.secs += 1, Verdict::Link),
        (|c| c.meta.nlink += 1, Verdict::Link),
        (
            |c| c.meta.kind = Kind::Fifo,
            Verdict::Copy(CopyReason::Kind),
        ),
        (|c| c.meta.size += 1, Verdict::Copy(CopyReason::Size)),
        (
            |c| c.meta.mtime.nanos += 1,
            Verdict::Copy(CopyReason::Mtime),
        ),
        (|c| c.meta.mode = 0o755, Verdict::Copy(CopyReason::Mode)),
        (|c| c.meta.uid = 1, Verdict::Copy(CopyReason::Owner)),
        (|c| c.meta.gid = 1, Verdict::Copy(CopyReason::Owner)),
        (
            |c| c.xattrs = Xattrs::default(),
            Verdict::Copy(CopyReason::Xattrs),
        ),
        (
            |c| {
                c.meta.kind = Kind::Char;
                c.meta.rdev = 5;
            },
            Verdict::Copy(CopyReason::Kind),
        ),
    ];
    for (i, (change, verdict)) in cases.into_iter().enumerate() {
        let mut new = file();
        change(&mut new);
        let got = decide(
            &LinkPolicy::new(),
            &Capabilities::everything(),
            &file(),
            &new,
        );
        assert_eq!(got, verdict, "case {i}");
    }
}

#[test]
fn symlinks_by_target_and_devices_by_number() {
    let all = Capabilities::everything();
    let mut old = file();
    old.meta.kind = Kind::Symlink;
    old.target = Some(b"here".to_vec());
    let mut new = old.clone();
    new.meta.mode = 0o777;
    let policy = LinkPolicy::new();
    assert_eq!(decide(&policy, &all, &old, &new), Verdict::Link);
    new.target = Some(b"away".to_vec());
    let verdict = decide(&policy, &all, &old, &new);
    assert_eq!(verdict, Verdict::Copy(CopyReason::Target));

    old.meta.kind = Kind::Char;
    let mut new = old.clone();
    assert_eq!(decide(&policy, &all, &old, &new), Verdict::Link);
    new.meta.rdev = 7;
    let verdict = decide(&policy, &all, &old, &new);
    assert_eq!(verdict, Verdict::Copy(CopyReason::Device));
}

#[test]
fn what_cannot_be_preserved_is_not_held_against_it() {
    let (policy, user) = (LinkPolicy::new(), plain_user());
    let mut stored = file();
    stored.meta.uid = 1000;
    stored.meta.gid = 1000;
    stored.meta.mode = 0o755;
    assert_eq!(decide(&policy, &user, &stored, &file()), Verdict::Link);
    let by_root = file();
    assert_eq!(decide(&policy, &user, &by_root, &file()), Verdict::Link);
    stored.meta.mode = 0o700;
    let verdict = decide(&policy, &user, &stored, &file());
    assert_eq!(verdict, Verdict::Copy(CopyReason::Mode));
    stored.meta.uid = 7;
    let verdict = decide(&policy, &user, &stored, &file());
    assert_eq!(verdict, Verdict::Copy(CopyReason::Owner));

    let mut labelled = file();
    let label = (b"security.selinux".to_vec(), b"x".to_vec());
    labelled.xattrs = Xattrs::new(vec![(b"user.a".to_vec(), b"1".to_vec()), label]);
    assert_eq!(decide(&policy, &user, &file(), &labelled), Verdict::Link);
    let root = Capabilities::everything();
    let verdict = decide(&policy, &root, &file(), &labelled);
    assert_eq!(verdict, Verdict::Copy(CopyReason::Xattrs));
}

#[test]
fn coarse_filesystems_still_link() {
    let coarse = Capabilities {
        time_step: 1_000_000_000,
        ..Capabilities::everything()
    };
    let mut stored = file();
    stored.meta.mtime.nanos = 0;
    let policy = LinkPolicy::new();
    assert_eq!(decide(&policy, &coarse, &stored, &file()), Verdict::Link);
    let fine = Capabilities::everything();
    let verdict = decide(&policy, &fine, &stored, &file());
    assert_eq!(verdict, Verdict::Copy(CopyReason::Mtime));
    let tolerant = policy.mtime_tolerance(Duration::from_nanos(5));
    assert_eq!(decide(&tolerant, &fine, &stored, &file()), Verdict::Link);
}

#[test]
fn switches_switch() {
    let all = Capabilities::everything();
    let mut new = file();
    new.meta.uid = 9;
    let policy = LinkPolicy::new().owner(false);
    assert_eq!(decide(&policy, &all, &file(), &new), Verdict::Link);
    new.xattrs = Xattrs::default();
    let policy = policy.xattrs(false);
    assert_eq!(decide(&policy, &all, &file(), &new), Verdict::Link);

    let policy = LinkPolicy::new().contents(true);
    let differ = policy.decide(&all, &file(), &file(), || Ok(false));
    assert_eq!(differ.ok(), Some(Verdict::Copy(CopyReason::Contents)));
    let same = policy.decide(&all, &file(), &file(), || Ok(true));
    assert_eq!(same.ok(), Some(Verdict::Link));
    let unread = policy.decide(&all, &file(), &file(), || {
        Err(io::Error::from_raw_os_error(5))
    });
    assert!(unread.is_err());
}

#[test]
fn a_mode_that_does_not_count_is_linked() {
    let all = Capabilities::everything();
    let mut new = file();
    new.meta.mode = 0o600;
    let policy = LinkPolicy::new().mode(false);
    assert_eq!(decide(&policy, &all, &file(), &new), Verdict::Link);
}

#[test]
fn where_a_time_does_not_count_contents_do() {
    let all = Capabilities::everything();
    let policy = LinkPolicy::new().mtime(false);
    assert_eq!(decide(&policy, &all, &file(), &file()), Verdict::Link);
    let mut new = file();
    new.meta.mtime.secs += 1;
    for (same, verdict) in [
        (true, Verdict::Link),
        (false, Verdict::Copy(CopyReason::Contents)),
    ] {
        let decided = policy.decide(&all, &file(), &new, || Ok(same));
        assert_eq!(decided.expect("no I/O"), verdict);
    }
}

#[test]
fn a_programs_own_rule_can_only_ask_for_a_copy() {
    let all = Capabilities::everything();
    let large = |reference: &Meta, source: &Meta| {
        (reference.size.max(source.size) > 100).then_some(CopyReason::Asked)
    };
    let policy = LinkPolicy::new().also(large);
    assert_eq!(policy, policy.clone());
    assert_ne!(policy, LinkPolicy::new());
    let with_size = |size, mode| {
        let mut file = file();
        (file.meta.size, file.meta.mode) = (size, mode);
        file
    };
    let old = with_size(101, 0o644);
    for (new, verdict) in [
        (with_size(101, 0o644), Verdict::Copy(CopyReason::Asked)),
        (with_size(101, 0o600), Verdict::Copy(CopyReason::Mode)),
        (with_size(3, 0o644), Verdict::Copy(CopyReason::Size)),
    ] {
        assert_eq!(decide(&policy, &all, &old, &new), verdict);
    }
    let small = with_size(3, 0o644);
    assert_eq!(decide(&policy, &all, &small, &small), Verdict::Link);
    // A further rule comes behind the first.
    let both = policy.also(|_, _| Some(CopyReason::Links));
    assert_eq!(
        decide(&both, &all, &small, &small),
        Verdict::Copy(CopyReason::Links)
    );
    assert_eq!(
        decide(&both, &all, &old, &old),
        Verdict::Copy(CopyReason::Asked)
    );
}
