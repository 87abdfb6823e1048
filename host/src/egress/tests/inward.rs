//! Every way to write, or to be led to, an address that is not on the public internet. None of them may connect.

use super::*;

/// Texts that stand where a host stands. `PORT` is that of a listener on loopback.
const HOSTS: &[&str] = &[
    // loopback, plainly and in the forms that URL parsers accept
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0x0.0.1",
    "0x7F000001",
    "00000000177.0.0.1",
    "127.0.0.0x1",
    "127.000.000.001",
    "0x7f.0x0.0x0.0x1",
    "127.0.0.1.",
    "1２7.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:0:127.0.0.1]",
    // names of this machine
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "a.localhost",
    "ip6-localhost",
    "loopback",
    "host.docker.internal",
    "kubernetes.default.svc.cluster.local",
    "printer.local",
    "router.lan",
    "nas.home.arpa",
    "intranet",
    "server.corp",
    "db.internal",
    "metadata",
    "1.0.0.127.in-addr.arpa",
    "hidden.onion",
    "ｌｏｃａｌｈｏｓｔ",
    // unspecified, "this network"
    "0.0.0.0",
    "0",
    "0x0",
    "00",
    "0.0.0.1",
    "0.1.2.3",
    "[::]",
    "[::ffff:0.0.0.0]",
    "[0::]",
    // private networks
    "10.0.0.1",
    "10.255.255.255",
    "167772161",
    "0xa000001",
    "012.0.0.1",
    "10.1",
    "172.16.0.1",
    "172.31.255.255",
    "172.16.1",
    "0xac100001",
    "192.168.0.1",
    "192.168.1.1",
    "192.168.257",
    "3232235777",
    "0xc0a80101",
    "0300.0250.1.1",
    "[::ffff:10.0.0.1]",
    "[::ffff:192.168.1.1]",
    "[::ffff:172.16.0.1]",
    "[::10.0.0.1]",
    // carrier networks
    "100.64.0.1",
    "100.127.255.255",
    "100.100.100.200",
    "1681915905",
    // link-local and metadata services
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[fe80::1]",
    "[fe80::a9fe:a9fe]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[febf::1]",
    "[fec0::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "168.63.129.16",
    "192.0.0.192",
    "metadata.google.internal",
    "metadata.goog.internal",
    "instance-data.ec2.internal",
    // unique local, multicast, reserved, documentation, benchmarks
    "[fc00::1]",
    "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
    "[ff02::1]",
    "[ff0e::1]",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "4294967295",
    "192.0.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "198.18.0.1",
    "198.19.255.255",
    "192.88.99.1",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    // IPv4 carried in IPv6: NAT64, 6to4, Teredo, ISATAP, compatible
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:1::1]",
    "[2002:a00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2002:c0a8:101::]",
    "[2001::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2001:0:7f00:1::]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:2::1]",
    "[2606:4700::5efe:7f00:1]",
    "[2606:4700::5efe:10.0.0.1]",
    "[2a00:1450::200:5efe:a9fe:a9fe]",
    "[::5efe:127.0.0.1]",
    "[fe80::5efe:192.168.1.1]",
    "[::a00:1]",
    // user names, empty and broken hosts
    "shop.example@127.0.0.1",
    "shop.example:pass@127.0.0.1",
    "shop.example%40127.0.0.1",
    "127.0.0.1#@shop.example",
    "127.0.0.1?@shop.example",
    "127.0.0.1\\@shop.example",
    "shop.example\\@127.0.0.1",
    "@127.0.0.1",
    ":@127.0.0.1",
    "[::1]@shop.example@127.0.0.1",
    "256.256.256.256",
    "127.0.0.1.5",
    "[::1",
    "::1",
    "",
    " ",
    "\t127.0.0.1",
    "127.0.0.1 ",
    "1\t27.0.0.1",
    "127.0.0.1\n",
    "0x100000000",
    "shop.example\0.evil.example",
];

#[tokio::test]
async fn no_way_of_writing_an_inward_host_connects() {
    assert!(HOSTS.len() >= 140, "{}", HOSTS.len());
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"reached")]).await;
    let port = server.origin.rsplit_once(':').unwrap().1.to_owned();
    for host in HOSTS {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}:{port}/latest/meta-data/");
            // The guest asks for it.
            let strange = rig.send(&scope(&["https://shop.example"]), get(&url)).await;
            assert!(matches!(strange, Err(Error::Denied(_))), "{url}: {strange:?}");
            // The merchant, or the manifest, names it as the shop.
            for origin in [format!("{scheme}://{host}:{port}"), format!("{scheme}://{host}")] {
                let as_setting = Allowed::fill("{origin}", &[], |_| Some(origin.clone()));
                let as_pattern = Allowed::fill(&origin, &[], |_| None);
                for allowed in [as_setting, as_pattern].into_iter().flatten() {
                    let mut scope = scope(&[]);
                    scope.allowed.push(allowed);
                    let outcome = rig.send(&scope, get(&format!("{origin}/latest/"))).await;
                    assert!(matches!(outcome, Err(Error::Denied(_))), "{origin}: {outcome:?}");
                }
            }
        }
    }
    assert_eq!(server.connects(), 0);
    assert_eq!(rig.names.asked.load(Ordering::SeqCst), 0, "a name that is not granted is not resolved");
}

#[tokio::test]
async fn other_schemes_and_unreadable_addresses_are_refused() {
    let rig = rig();
    for url in [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "data:text/plain,x",
        "javascript:1",
        "unix:/run/x",
        "//shop.example/",
        "shop.example",
        "",
        "https://",
        "https:///x",
        "https:shop.example@127.0.0.1",
    ] {
        let outcome = rig.send(&scope(&["https://shop.example"]), get(url)).await;
        assert!(matches!(outcome, Err(Error::Denied(_))), "{url}: {outcome:?}");
    }
    assert_eq!(rig.names.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_leads_inward_is_not_dialled() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"reached")]).await;
    let port = server.origin.rsplit_once(':').unwrap().1.to_owned();
    let inward = HOSTS.iter().filter_map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let mut tried = 0;
    for (n, address) in inward.enumerate() {
        let name = format!("s{n}.example.com");
        rig.names.answer(&name, &[&address.to_string()]);
        let origin = format!("https://{name}:{port}");
        let outcome = rig.send(&scope(&[&origin]), get(&format!("{origin}/"))).await;
        assert!(matches!(&outcome, Err(Error::Denied(text)) if text.contains("public internet")), "{address}: {outcome:?}");
        tried += 1;
    }
    assert!(tried > 60, "{tried}");
    assert_eq!(server.connects(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_caught_each_time_it_is_dialled() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"reached")]).await;
    let port = server.origin.rsplit_once(':').unwrap().1.to_owned();
    let origin = format!("https://rebind.example.com:{port}");
    // The first answer is a public address that drops everything, the later ones are this machine.
    rig.names.answer("rebind.example.com", &["127.0.0.1", "::1"]);
    rig.names.answer("rebind.example.com", &["::ffff:127.0.0.1"]);
    rig.names.answer("rebind.example.com", &["169.254.169.254", "10.0.0.1"]);
    for _ in 0..3 {
        assert!(matches!(rig.send(&scope(&[&origin]), get(&format!("{origin}/"))).await, Err(Error::Denied(_))));
    }
    assert_eq!((server.connects(), rig.names.asked.load(Ordering::SeqCst)), (0, 3));
}

#[tokio::test]
async fn a_grant_by_hand_opens_exactly_one_origin_of_one_connection() {
    let rig = rig();
    let granted = Server::scripted(vec![ok("", b"shop")]).await;
    let other = Server::scripted(vec![ok("", b"other")]).await;
    let mut scope = local(&granted.origin);
    scope.allowed.push(Allowed::fill(&other.origin, &[], |_| None).unwrap());
    assert_eq!(rig.send(&scope, get(&format!("{}/", granted.origin))).await.unwrap().body, b"shop");
    let refused = rig.send(&scope, get(&format!("{}/", other.origin))).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    assert_eq!(other.connects(), 0);
    // A grant alone is not enough: the manifest must want it too.
    scope.allowed.clear();
    assert!(matches!(rig.send(&scope, get(&format!("{}/", granted.origin))).await, Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_grant_by_name_reaches_this_machine_but_never_its_metadata() {
    let rig = rig();
    let server = Server::scripted(vec![ok("", b"shop")]).await;
    let port = server.origin.rsplit_once(':').unwrap().1.to_owned();
    rig.names.answer("localhost", &["127.0.0.1"]);
    let origin = format!("http://localhost:{port}");
    assert_eq!(rig.send(&local(&origin), get(&format!("{origin}/"))).await.unwrap().body, b"shop");
    rig.names.answer("shop.internal", &["169.254.169.254", "100.100.100.200"]);
    let origin = format!("http://shop.internal:{port}");
    assert!(matches!(rig.send(&local(&origin), get(&format!("{origin}/"))).await, Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_never_followed() {
    let rig = rig();
    let inside = Server::scripted(vec![ok("", b"secret")]).await;
    for code in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let shop = Server::scripted(vec![status(code, &format!("location: {}/latest\r\n", inside.origin), b"")]).await;
        let answer = rig.send(&local(&shop.origin), get(&format!("{}/", shop.origin))).await.unwrap();
        assert_eq!(answer.status.to_string(), code[..3]);
        assert_eq!(answer.header("location"), Some(format!("{}/latest", inside.origin).as_str()));
        assert_eq!(shop.connects(), 1);
    }
    assert_eq!(inside.connects(), 0);
}
